"""A position survives JSON bit for bit."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from convlens.train.position import START, Position, told

floats = st.floats(allow_nan=False, allow_infinity=False)
tables = st.fixed_dictionaries(
    {
        "epoch": st.integers(1),
        "step": st.integers(0),
        "losses": st.lists(floats, max_size=5).map(tuple),
        "sizes": st.lists(st.integers(1), max_size=5).map(tuple),
        "told_loss": floats,
        "told_images": st.integers(0),
        "epoch_seconds": floats,
        "train_seconds": floats,
        "seconds": floats,
    }
)


@given(tables)
def test_it_is_the_same_after_json(table: dict[str, Any]) -> None:
    position = Position(**table)
    assert Position.from_table(json.loads(json.dumps(position.to_table()))) == position


def test_the_start_is_before_the_first_step() -> None:
    assert (START.epoch, START.step, START.seconds) == (1, 0, 0)
    assert told(START.epoch, START.step) == "at the start"
