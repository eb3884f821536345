import os
import sys
from pathlib import Path

import pytest

from benchmarks.pipe import Worker, WorkerError

pytestmark = pytest.mark.processes

ECHO = """\
import os
from benchmarks.pipe import serve

def prepare(arguments):
    print("noise that must not reach the pipe")
    os.system("echo nor this")
    def answer(request):
        print("noise")
        return {"doubled": 2 * request["number"]}
    return {"arguments": list(arguments)}, answer

serve(prepare)
"""


def worker(folder: Path, source: str, *args: str) -> Worker:
    (folder / "some_worker.py").write_text(source, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    env = {"PYTHONPATH": os.pathsep.join((root, str(folder)))}
    return Worker(Path(sys.executable), "some_worker", *args, folder=folder, env=env)


def test_a_worker_answers_and_is_idle_in_between(tmp_path: Path) -> None:
    with worker(tmp_path, ECHO, "one", "two") as echo:
        assert echo.ready == {"arguments": ["one", "two"]}
        assert echo.ask(number=4)["doubled"] == 8
        assert echo.ask(number=5)["doubled"] == 10
        assert echo.ask(number=6)["idle_cpu_seconds"] >= 0


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    broken = worker(tmp_path, "raise ImportError('no such peer')")
    with pytest.raises(WorkerError, match=r"status 1\n(.|\n)*no such peer"), broken:
        pass


def test_a_worker_that_stops_says_why(tmp_path: Path) -> None:
    with worker(tmp_path, ECHO) as echo, pytest.raises(WorkerError, match="KeyError"):
        echo.ask(wrong=1)
