"""A worker: another process, perhaps another interpreter, that does one thing when told to.

Two libraries that want different versions of PyTorch cannot share a process. So each contestant
lives in a process of its own, made ready once, and is asked for one turn at a time by a line of
JSON; in between it waits in a read and does nothing. It tells its own CPU time while it waited,
so that a result can show that it really was idle.

Only the standard library is imported here, since peers import it too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

ROOT = Path(__file__).resolve().parents[1]  # the repository
PATIENCE = 10.0  # seconds that a worker may take to leave
Message = dict[str, Any]


class WorkerError(Exception):
    """A worker that stopped before it answered."""


@final
class Worker:
    """The near end: starts `module` in `python`, and asks it for turns.

    Inside `with`, the process is up and ready; `ready` holds what it told of its start.
    """

    def __init__(
        self,
        python: Path,
        module: str,
        *args: str,
        folder: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [str(python), "-m", module, *args]
        self.folder = folder  # where it runs
        self.env = dict(env or {})
        self.ready: Message = {}

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=self.folder,
            env={**os.environ, **self.env},
            encoding="utf-8",
        )
        try:
            self.ready = self._receive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()  # the worker's loop ends here
            self._process.wait(PATIENCE if kind is None else 1.0)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def ask(self, **request: Any) -> Message:
        """The worker's answer to `request`.

        Raises:
            WorkerError: it stopped; says why.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _receive says why
        return self._receive()

    def _receive(self) -> Message:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            message: Message = json.loads(line)
            return message
        status = self._process.wait()
        self._stderr.seek(0)
        last_words = "\n".join(self._stderr.read().splitlines()[-8:])
        raise WorkerError(f"{' '.join(self.command[1:])} ended with status {status}\n{last_words}")


def our_env() -> dict[str, str]:
    """The environment of a worker that uses this interpreter's ConvLens."""
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def peers_env() -> dict[str, str]:
    """The environment of a worker in the peers' interpreter, which sees only this package."""
    return {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}


def serve(
    prepare: Callable[[Sequence[str]], tuple[Message, Callable[[Message], Message]]],
) -> None:
    """The far end: make ready, then answer each request until there are no more.

    What the worker itself prints is thrown away, as are a library's progress and plots.

    Args:
        prepare: is given the command line's arguments, returns what to tell of the start, and
            the function that answers.
    """
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    ready, answer = prepare(sys.argv[1:])
    _send(replies, ready)
    waiting_since = time.process_time()
    for line in sys.stdin:
        idle = time.process_time() - waiting_since
        _send(replies, {**answer(json.loads(line)), "idle_cpu_seconds": idle})
        waiting_since = time.process_time()


def _send(replies: Any, message: Message) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()
