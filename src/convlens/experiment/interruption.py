"""Ctrl-C once asks a training to stop where nothing is lost; twice stops it at once.

SIGTERM counts as Ctrl-C: it is what a system sends before it takes the power or the machine away.
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import final

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@final
class Interruption:
    """What the signals have asked for so far."""

    def __init__(self) -> None:
        self.asked = False
        self._resting = False

    def rest(self) -> None:
        """From now on nothing is half done, so that one signal stops at once.

        Raises:
            KeyboardInterrupt: one has come already.
        """
        self._resting = True
        if self.asked:
            raise KeyboardInterrupt

    def work(self) -> None:
        """From now on the first signal only asks."""
        self._resting = False

    def hear(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """A signal has come.

        Raises:
            KeyboardInterrupt: it is the second, or nothing is half done.
        """
        del number, frame
        if self.asked or self._resting:
            self.asked = True
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruptible() -> Generator[Interruption]:
    """Inside, signals are heard; afterwards they are handled as before.

    Only the main thread can hear them; on others, as where they are ignored, all stays as it is.
    """
    interruption = Interruption()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = threading.current_thread() is threading.main_thread()
    numbers = [
        n for n, handler in before.items() if heard and handler not in (signal.SIG_IGN, None)
    ]
    for number in numbers:
        signal.signal(number, interruption.hear)
    try:
        yield interruption
    finally:
        for number in numbers:
            signal.signal(number, before[number])
