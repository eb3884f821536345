"""`convlens train --processes N`: starts N processes the torchrun way, and hears how they end.

A process that ends with an error for the user writes it into a folder that all of them know, and
leaves as if all were well, since to start anew would not help; the first process shows it once.
One that is killed leaves no word, and then torchrun's agent starts all of them again.
"""

import json
import logging
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from convlens.cli.console import fail, say
from convlens.cli.exit_codes import INTERRUPTED, exit_code
from convlens.core.errors import ConfigError, ConvLensError, Diverged

if TYPE_CHECKING:
    from convlens.train.parallel.world import World

MAX_RESTARTS = 3  # times that all processes are started again after one has died
_FOLDER = "CONVLENS_ENDINGS"  # in the environment: where processes say how they ended
_ENDING, _INTERRUPTED = "ending.json", "interrupted.json"
_FAULT = 1  # the exit code of an error that is not the user's


def launch(processes: int, arguments: Sequence[str], *, quiet: bool) -> int:
    """Run `convlens *arguments` in so many processes; gives back the exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; says what was saved, and how to go on.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # torchrun's wall of text
    with tempfile.TemporaryDirectory(prefix="convlens-") as folder:
        threads = prepare(os.environ, processes, folder)
        if not quiet:
            each = "1 thread" if threads == "1" else f"{threads} threads"
            say(f"{processes} processes of {each} each")
        start = elastic_launch(_config(processes), sys.executable)
        try:
            start("-m", "convlens", *arguments)
        except SignalException:
            told = _told(Path(folder) / _INTERRUPTED) or {"what": "nothing was saved"}
            raise KeyboardInterrupt(told["what"]) from None
        except ChildFailedError as error:
            if not _told(Path(folder) / _ENDING):
                return _fallen(error, Path(folder))
        finally:
            del os.environ[_FOLDER]
        return _ended(Path(folder))


def prepare(environment: Any, processes: int, folder: str) -> str:
    """Say in the environment what the processes need; gives back the threads of each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // processes)))
    environment[_FOLDER] = folder
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    for name in loopback[:1]:
        environment.setdefault("GLOO_SOCKET_IFNAME", name)
    return environment["OMP_NUM_THREADS"]


def refuse_unlaunchable(processes: int) -> None:
    """Refuse a number of processes that makes no sense here.

    Raises:
        ConfigError: it does not.
    """
    if processes < 1:
        raise ConfigError(f"--processes {processes}: must be at least 1")
    if sys.platform == "win32":
        raise ConfigError("--processes: not on Windows", fix="leave it out")


def started_by_torchrun() -> bool:
    """Whether this process has been told its place among others."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def launched() -> bool:
    """Whether `launch` has started this process."""
    return _FOLDER in os.environ


def take_part(work: Callable[["World"], None]) -> None:
    """Do `work` as one of the processes, and tell an error where it will be read once."""
    place = os.environ.get(_FOLDER)
    folder = None if place is None else Path(place)
    if folder is not None and (folder / _ENDING).exists():
        return  # an earlier start has ended with an error that would come again
    world: World | None = None
    try:
        from convlens.train.parallel.processes import joined

        with joined() as world:
            work(world)
    except ConvLensError as error:
        _tell(error, folder, world)
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if world is not None and world.rank == 0:
            if folder is None:
                fail("interrupted", str(stop))
            else:
                _write(folder / _INTERRUPTED, {"what": str(stop)})
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if folder is None:
            raise
        fault = {"code": _FAULT, "traceback": traceback.format_exc()}
        # A process that dies takes the others' exchange with it: a RuntimeError in each of them.
        lasting = not isinstance(error, RuntimeError)
        _write(folder / (_ENDING if lasting else f"fault-{os.getpid()}.json"), fault)
        raise typer.Exit(_FAULT) from None


def _config(processes: int) -> Any:
    from uuid import uuid4

    from torch.distributed.launcher.api import LaunchConfig

    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        rdzv_configs={"is_host": True},
        local_addr="127.0.0.1",
        max_restarts=MAX_RESTARTS,
        signals_to_handle="SIGTERM,SIGINT",
    )


def _tell(error: ConvLensError, folder: Path | None, world: "World | None") -> None:
    code = exit_code(error)
    if folder is not None:
        _write(folder / _ENDING, {"code": code, "what": error.what, "fix": error.fix})
        return
    rank = 0 if world is None else world.rank
    if rank == 0:
        fail(error.what, error.fix)
    elif error is not getattr(world, "shared", None) and not isinstance(error, Diverged):
        fail(f"process {rank}: {error.what}", error.fix)
    raise typer.Exit(code)


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write `path` whole, unless another process has done so, or has removed its folder."""
    with suppress(OSError):
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(content), encoding="utf-8")
        if path.exists():
            return
        part.rename(path)


def _told(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _ended(folder: Path) -> int:
    ending = _told(folder / _ENDING)
    if "traceback" in ending:
        say(ending["traceback"])
    elif ending:
        fail(ending["what"], ending["fix"])
    return ending.get("code", 0)


def _fallen(error: Any, folder: Path) -> int:
    """They have died as often as they may."""
    faults = sorted(folder.glob("fault-*.json"), key=lambda path: path.stat().st_mtime_ns)
    rank, failure = error.get_first_failure()
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        fail(
            f"process {rank} was killed by {name}, and again after {MAX_RESTARTS} new starts",
            "perhaps memory is short: try fewer processes, or a smaller --batch-size",
        )
    elif faults:
        say(_told(faults[0])["traceback"])
    else:
        fail(f"process {rank} left with exit code {failure.exitcode}, for no reason that it told")
    return _FAULT
