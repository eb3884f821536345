"""What other programs do to a training is told where it is much, and not where it is little."""

import pytest
import torch

from convlens.train.machine import contention
from convlens.train.machine.contention import Contention, busy_elsewhere, busy_note, measure


def found(one: float, every: float, threads: int = 2) -> Contention:
    return Contention(threads=threads, one_thread=one, all_threads=every)


@pytest.mark.parametrize(
    ("seen", "words", "advice"),
    [
        (found(1.1, 0.7), "none that disturbs: 2 threads take 0.6 times", ""),
        (found(1.1, 1.1, threads=1), "one thread: no matter", ""),
        (found(1.5, 9.0), "may be 9 times slower; 2 threads take 6.0", "OMP_NUM_THREADS=1"),
        (found(1.5, 900.0), "more than 20 times slower", "OMP_NUM_THREADS=1"),
        (found(3.0, 2.0), "may be 2 times slower; 2 threads take 0.7", "OMP_WAIT_POLICY=passive"),
    ],
)
def test_it_is_told_in_words_with_what_to_do(seen: Contention, words: str, advice: str) -> None:
    assert words in seen.told()
    assert advice in seen.advice
    assert bool(advice) == bool(seen.advice) == seen.disturbed


def test_a_measurement_compares_with_the_quickest_and_leaves_the_threads() -> None:
    threads = torch.get_num_threads()
    seen = measure(0.02)
    assert seen.threads == threads == torch.get_num_threads()
    assert seen.one_thread >= 1


def test_others_are_busy_on_at_most_all_cores() -> None:
    busy = busy_elsewhere(0.02)
    assert busy is None or 0 <= busy <= torch.get_num_threads() + 1024


def test_others_time_is_all_but_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of 100 ticks a second each of two cores works 50 in half a second; others are not ours."""
    stat = tmp_path_factory.mktemp("proc") / "stat"
    ticks = iter([0, 50])

    def write() -> None:
        done = next(ticks)
        busy = "\n".join(f"cpu{core} {done} 0 0 7 7 0 0 0 0 0" for core in (0, 1, 12))
        stat.write_text(f"cpu  1 1 1 1 1 1 1 1 0 0\n{busy}\nintr 5\n")

    clock = iter([10.0, 10.5])
    monkeypatch.setattr(contention, "_STAT", stat)
    monkeypatch.setattr(contention, "_cores", lambda: {0, 1})
    monkeypatch.setattr(contention.os, "sysconf", lambda _: 100)
    monkeypatch.setattr(contention.time, "sleep", lambda _: write())
    monkeypatch.setattr(contention.time, "process_time", lambda: 0.0)
    monkeypatch.setattr(contention.time, "perf_counter", lambda: next(clock))
    write()
    assert busy_elsewhere(0.5) == 2.0


def test_each_of_several_processes_wants_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "busy_elsewhere", lambda: 1.0)
    monkeypatch.setattr(contention, "_cores", lambda: set(range(torch.get_num_threads() + 1)))
    assert contention.note_now() == ""
    assert contention.note_now(2).startswith("other programs keep 1.0 of")


def test_where_the_system_does_not_tell_there_is_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "_cores", set)
    assert busy_elsewhere() is None
    assert contention.note_now() == ""


@pytest.mark.parametrize(
    ("busy", "threads", "cores", "told"),
    [
        (None, 2, 2, False),
        (0.4, 2, 2, False),
        (1.0, 2, 2, True),
        (1.0, 1, 2, False),
        (1.2, 1, 2, True),
        (40.0, 2, 64, False),
    ],
)
def test_a_note_is_made_where_threads_and_others_do_not_fit(
    busy: float | None, threads: int, cores: int, told: bool
) -> None:
    assert bool(busy_note(busy, threads=threads, cores=cores)) == told
