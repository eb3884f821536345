"""A training ends when its time is over or nothing gets better, and says which."""

import json
from collections.abc import Sequence

import pytest

from convlens.train.stopping import Stopping


def reasons(stopping: Stopping, accuracies: Sequence[float | None]) -> list[str]:
    return [stopping.after_epoch(accuracy, 1.0) for accuracy in accuracies]


def test_without_a_limit_it_never_ends() -> None:
    stopping = Stopping()
    assert not any(reasons(stopping, [0.5] * 99))
    assert not stopping.after_step(1e9)


def test_patience_counts_epochs_since_the_best() -> None:
    found = reasons(Stopping(patience=2), [0.5, 0.6, 0.6, 0.7, 0.6, 0.65])
    assert found == ["", "", "", "", "", "2 epochs without a better validation accuracy"]


def test_as_good_as_the_best_is_no_better() -> None:
    assert reasons(Stopping(patience=1), [0.5, 0.5]) == [
        "", "an epoch without a better validation accuracy",
    ]  # fmt: skip


def test_epochs_without_a_validation_do_not_count() -> None:
    assert not any(reasons(Stopping(patience=1), [0.5, None, None, 0.6]))


def test_an_accuracy_of_zero_is_better_than_none() -> None:
    assert not any(reasons(Stopping(patience=1), [0.0]))


def test_the_time_is_that_of_all_epochs() -> None:
    stopping = Stopping(seconds=2.5)
    assert [stopping.after_step(s) for s in (1.0, 2.4, 2.5)] == [False, False, True]
    assert reasons(stopping, [0.5, 0.6]) == ["", ""]
    assert [stopping.after_step(s) for s in (0.4, 0.5)] == [False, True]
    assert stopping.after_epoch(0.7, 0.5) == "2.5 seconds of training are over"


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_saved_state_goes_on(cut: int) -> None:
    accuracies = [0.5, 0.4, 0.3, 0.2]
    first = Stopping(patience=3, seconds=100.0)
    reasons(first, [*accuracies][:cut])
    again = Stopping(patience=3, seconds=100.0)
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert (
        reasons(again, [*accuracies][cut:])
        == reasons(Stopping(patience=3, seconds=100.0), [*accuracies])[cut:]
    )
