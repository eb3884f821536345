"""One signal asks, a second one stops; handlers are afterwards as before."""

import os
import signal
import threading

import pytest

from convlens.experiment.interruption import Interruption, interruptible

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_stops(number: signal.Signals) -> None:
    with interruptible() as interruption:
        assert not interruption.asked
        signal.raise_signal(number)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_both_signals_count_together() -> None:
    with interruptible():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_where_nothing_is_half_done_the_first_one_stops() -> None:
    interruption = Interruption()
    interruption.rest()
    with pytest.raises(KeyboardInterrupt):
        interruption.hear()
    interruption = Interruption()
    interruption.rest()
    interruption.work()
    interruption.hear()
    with pytest.raises(KeyboardInterrupt):
        interruption.rest()


@pytest.mark.parametrize("number", SIGNALS)
def test_handlers_are_afterwards_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(ValueError, match="on purpose"), interruptible():
        assert signal.getsignal(number) != before
        raise ValueError("on purpose")
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interruption.asked
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_on_another_thread_nothing_is_heard_and_nothing_fails() -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[object] = []

    def work() -> None:
        with interruptible() as interruption:
            found.extend([interruption.asked, signal.getsignal(signal.SIGINT)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, before]
