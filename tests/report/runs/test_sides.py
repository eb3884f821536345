"""Sides: equal recipes are one side, and a difference is only claimed where seeds show it."""

from pathlib import Path
from typing import Any

import pytest

from convlens.core.errors import ConfigError
from convlens.report.runs.sides import (
    Entry,
    Side,
    group,
    judge,
    letter,
    notes,
    origin_differences,
    setting_differences,
)
from convlens.report.runs.sides import (
    test_interval as interval_of,
)
from convlens.runs.store import Run
from tests.report.runs.folders import make_run


def names(sides: list[Side]) -> list[list[str]]:
    return [[entry.run.name for entry in side.entries] for side in sides]


def several(folder: Path, start: int, accuracies: list[float], **settings: Any) -> list[Run]:
    """One run for each accuracy, with seeds from 0."""
    return [
        make_run(folder, f"lenet-{start + seed}", accuracy=accuracy, seed=seed, **settings)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_runs_that_differ_in_seed_device_and_logging_are_one_side(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, "lenet-1"),
        make_run(tmp_path, "lenet-2", lr=0.5),
        make_run(tmp_path, "lenet-3", seed=4, device="cpu", log_every=7),
        make_run(tmp_path, "lenet-4", data={"folder": "elsewhere"}),
        make_run(tmp_path, "lenet-5", md5="1" * 32),
    ]
    sides = group(runs)
    assert names(sides) == [["lenet-1", "lenet-3", "lenet-4"], ["lenet-2"], ["lenet-5"]]
    assert [side.name for side in sides] == ["A", "B", "C"]


def test_a_run_given_twice_counts_once(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1")
    assert names(group([run, Run(tmp_path / "." / "lenet-1")])) == [["lenet-1"]]
    with pytest.raises(ConfigError, match="no run"):
        group([])


def test_a_seed_counts_once(tmp_path: Path) -> None:
    accuracies = [(0, 0.90), (0, 0.92), (3, 0.95)]
    (side,) = group(
        [
            make_run(tmp_path, f"lenet-{number}", seed=seed, accuracy=accuracy)
            for number, (seed, accuracy) in enumerate(accuracies)
        ]
    )
    assert side.accuracies == {0: pytest.approx(0.91), 3: 0.95}
    assert side.spread is not None
    assert side.spread.n == 2
    assert any("equal seeds" in note for note in notes([side]))
    assert side.more_seeds.endswith(f"recipe.toml --seed 1 --out {tmp_path}")


def test_letters_go_on_after_z() -> None:
    found = [letter(index) for index in range(26 * 27 + 1)]
    assert len(set(found)) == len(found)
    assert found[25:28] == ["Z", "AA", "AB"]
    assert found[26 * 27] == "AAA"


def test_a_clear_difference_is_told_with_its_interval(tmp_path: Path) -> None:
    low = several(tmp_path, 0, [0.801, 0.799, 0.800])
    high = several(tmp_path, 5, [0.902, 0.899, 0.899], lr=0.5)
    for runs in (low + high, high + low):
        (found,) = judge(group(runs))
        assert found.verdict == "better"
        assert found.gap is not None
        better, worse = ("B", "A") if runs[0] == low[0] else ("A", "B")
        assert found.text.startswith(f"{better} is better than {worse} by 10.00 points (95 % ")
        bounds = sorted(100 * abs(bound) for bound in (found.gap.low, found.gap.high))
        assert f"interval {bounds[0]:.2f} to {bounds[1]:.2f})" in found.text


def test_a_small_difference_is_not_seen(tmp_path: Path) -> None:
    runs = several(tmp_path, 0, [0.80, 0.81, 0.79]) + several(tmp_path, 5, [0.805, 0.82], lr=0.5)
    (found,) = judge(group(runs))
    assert found.verdict == "no difference seen"
    assert found.text.startswith("no difference seen between A and B: B less A is +1.25 points")
    assert "to +" in found.text


def test_one_run_of_a_side_tells_nothing_and_says_what_to_type(tmp_path: Path) -> None:
    one = several(tmp_path, 0, [0.5])
    other = several(tmp_path, 3, [0.9], lr=0.5)
    (found,) = judge(group(one + other))
    assert (found.verdict, found.gap) == ("cannot tell", None)
    assert "one run each; train more seeds: convlens train " in found.text
    assert found.text.endswith(f"{one[0].path}/recipe.toml --seed 1 --out {tmp_path}")
    more = several(tmp_path, 6, [0.91, 0.92], lr=0.7)
    (found,) = judge(group(more + one))
    assert "one run of B; train more seeds" in found.text
    assert str(one[0].path) in found.text


def test_runs_without_spread_or_without_a_test_tell_nothing(tmp_path: Path) -> None:
    equal = several(tmp_path, 0, [0.8, 0.8]) + several(tmp_path, 3, [0.9, 0.9], lr=0.5)
    (found,) = judge(group(equal))
    assert found.verdict == "cannot tell"
    assert "came out equal" in found.text
    untested = make_run(tmp_path, "lenet-9", accuracy=None, lr=0.7)
    (found,) = judge(group([*equal[:2], untested]))
    assert found.text == "cannot tell A and B apart: no tested run of B"


def test_every_two_sides_are_judged(tmp_path: Path) -> None:
    runs = [
        run
        for index, lr in enumerate((0.1, 0.2, 0.3))
        for run in several(tmp_path, 3 * index, [0.8, 0.81], lr=lr)
    ]
    sides = group(runs)
    pairs = [(found.first.name, found.second.name) for found in judge(sides)]
    assert pairs == [("A", "B"), ("A", "C"), ("B", "C")]
    assert any("There are 3 of them" in note and "98.33 %" in note for note in notes(sides))
    assert not any("Holm" in note for note in notes(sides[:2]))


# Of two results that lie 0.2 points apart on both sides, by two degrees of freedom a difference is
# seen from 0.608 points on at 95 %, from 0.878 at 97.5 %, and from 1.082 at 1 - 0.05 / 3.
@pytest.mark.parametrize(
    ("third", "verdicts", "confidences"),
    [
        (0.820, ["better"] * 3, ["95 %", "98.33 %", "97.5 %"]),
        (
            0.8155,
            ["no difference seen", "better", "no difference seen"],
            ["97.5 %", "98.33 %", "97.5 %"],
        ),
        (0.809, ["no difference seen"] * 3, ["98.33 %"] * 3),
    ],
)
def test_several_verdicts_are_holms(
    tmp_path: Path, third: float, verdicts: list[str], confidences: list[str]
) -> None:
    runs = [
        run
        for index, mean in enumerate((0.800, 0.807, third))
        for run in several(tmp_path, 2 * index, [mean - 0.001, mean + 0.001], lr=0.1 + index)
    ]
    alone = judge(group(runs[:4]))
    assert (alone[0].verdict, "95 % interval" in alone[0].text) == ("better", True)
    found = judge(group(runs))
    assert [each.verdict for each in found] == verdicts
    for each, confidence in zip(found, confidences, strict=True):
        assert f"({confidence} interval" in each.text
        assert each.gap is not None and each.gap.seen == (each.verdict == "better")


def test_a_pair_without_an_interval_is_no_step_of_holms(tmp_path: Path) -> None:
    runs = several(tmp_path, 0, [0.799, 0.801]) + several(tmp_path, 2, [0.806, 0.808], lr=0.5)
    found = judge(group([*runs, *several(tmp_path, 4, [0.9], lr=0.7)]))
    assert [each.verdict for each in found] == ["better", "cannot tell", "cannot tell"]


def test_differences_of_settings_leave_out_the_seed(tmp_path: Path) -> None:
    sides = group(
        [
            make_run(tmp_path, "lenet-1", seed=1, lr=0.1),
            make_run(tmp_path, "lenet-2", seed=2, lr=0.5, data={"max_train_images": 50}),
        ]
    )
    assert setting_differences(sides) == {
        "train.lr": [0.1, 0.5],
        "data.max_train_images": [None, 50],
    }
    assert setting_differences(sides[:1]) == {}


def test_other_data_are_a_difference_and_a_warning(tmp_path: Path) -> None:
    sides = group([make_run(tmp_path, "lenet-1"), make_run(tmp_path, "lenet-2", md5="1" * 32)])
    assert list(setting_differences(sides)) == ["the data"]
    assert any("no contest" in note for note in notes(sides))


def test_other_machines_and_versions_are_told_apart_from_settings(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, f"lenet-{number}", seed=number) for number in (1, 2)]
    origin = runs[1].read_json("provenance.json")
    origin["versions"]["torch"] = "2.14.0"
    origin["commit"] = None
    runs[1].write_json("provenance.json", origin)
    found = origin_differences([Entry(run) for run in runs])
    assert found == {"commit": ["0123456789-dirty", None], "torch": ["2.13.0", "2.14.0"]}


def test_what_the_test_set_leaves_open_is_said(tmp_path: Path) -> None:
    sides = group([make_run(tmp_path, "lenet-1", accuracy=0.871)])
    low, high = interval_of({"accuracy": 0.871, "num_images": 1_000})
    (note,) = notes(sides)
    assert f"{100 * low:.2f} to {100 * high:.2f} %" in note
    assert notes(group([make_run(tmp_path, "lenet-2", accuracy=None)])) == []
    watched = group([make_run(tmp_path, "lenet-3", data={"validation": "test"})])
    assert any("validated on the test images" in note for note in notes(watched))


def test_a_recipe_of_another_version_is_compared_as_it_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1")
    table = run.read_recipe()
    run.write_recipe({**table, "train": {**table["train"], "of_later": 3}})
    assert Entry(run).settings["train.of_later"] == 3
