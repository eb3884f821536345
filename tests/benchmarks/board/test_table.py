"""The board tells what was measured, and no more."""

from pathlib import Path

import pytest

from benchmarks.board.table import MARKS, Entry, Mark, load, page, save
from benchmarks.board.turn import BUSY, Turn
from benchmarks.measure import Machine
from convlens.experiment.recipe import shipped_recipes

MACHINE = Machine(
    cpu="AMD EPYC", cores=2, capability="AVX2", threads=2, system="Linux x86_64",
    python="3.11.2", torch="2.13.0", load=0.0,
)  # fmt: skip


def turn(seed: int, accuracy: float, *, seconds: float = 10.0, others: float | None = 0.0) -> Turn:
    return Turn(
        seed=seed,
        accuracy=accuracy,
        mirrored=accuracy + 0.01,
        train_seconds=seconds,
        seconds=seconds + 5,
        others=others,
    )


def entry(*turns: Turn) -> Entry:
    return Entry(turns=turns, software="torch", commit="abc", date="2026-01-01")


def cells(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("accuracies", "reached"),
    [([0.90] * 3, "yes"), ([0.89, 0.90, 0.90], "no"), ([0.95] * 2, "needs n = 3")],
)
def test_a_mark_is_reached_by_the_mean_of_enough_seeds(
    accuracies: list[float], reached: str
) -> None:
    turns = [turn(seed, accuracy) for seed, accuracy in enumerate(accuracies)]
    assert entry(*turns).reached(Mark(0.90, 15, 3)) == reached


def test_times_of_a_disturbed_turn_do_not_count_and_its_accuracy_does() -> None:
    disturbed = turn(2, 0.94, seconds=99.0, others=BUSY + 0.01)
    board = page(MACHINE, {"fast-90": entry(turn(0, 0.92), turn(1, 0.90, seconds=12), disturbed)})
    assert cells(board, "fast-90") == [
        "fast-90", "90", "3", "92.00 +- 2.00", "needs n = 10", "93.00 +- 2.00", "11.0", "15",
        "5.0", "2",
    ]  # fmt: skip


def test_without_an_undisturbed_turn_there_is_no_time() -> None:
    board = page(MACHINE, {"lenet": entry(turn(0, 0.75, others=1.0))})
    assert cells(board, "lenet") == [
        "lenet", "1", "75.00", "75.00 to 75.00", "76.00", "-", "-", "0",
    ]  # fmt: skip


def test_where_the_system_does_not_tell_of_others_times_count() -> None:
    assert turn(0, 0.9, others=None).undisturbed


def test_new_entries_replace_their_like_and_leave_the_rest(tmp_path: Path) -> None:
    save(tmp_path, MACHINE, {"lenet": entry(turn(0, 0.7)), "fast-92": entry(turn(0, 0.91))})
    written = save(
        tmp_path, MACHINE, {"fast-92": entry(turn(0, 0.92)), "fast-90": entry(turn(0, 0.9))}
    )
    kept = load(written.with_suffix(".json"))
    assert list(kept) == ["fast-90", "fast-92", "lenet"]
    assert [each.accuracies for each in kept.values()] == [[90.0], [92.0], [70.0]]
    assert written.read_text() == page(MACHINE, kept)


def test_every_mark_has_a_shipped_recipe_of_its_name() -> None:
    assert set(MARKS) <= set(shipped_recipes())
