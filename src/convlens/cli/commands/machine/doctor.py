"""`convlens doctor`: is this machine ready?"""

import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_table
from convlens.cli.exit_codes import CHECK_FAILED


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what to do if it is not well."""

    name: str
    good: bool
    found: str
    fix: str = ""


def doctor(out: options.Out = options.RUNS, as_json: options.Json = False) -> None:
    """Check Python, PyTorch, threads, device, data, write rights and what makes training slow.

    \b
    Examples:
      convlens doctor
      convlens doctor --json

    Exit 1 if a check fails. What is merely slow, such as other programs at work, does not fail.
    """
    checks = [check() for check in (_python, _torch, _threads, _device, _data)]
    checks.append(_write_rights(out))
    checks += [check() for check in (_buffers, _precision, _denormals, _others)]
    failed = [check for check in checks if not check.good]
    if as_json:
        print_json({"good": not failed, "checks": [asdict(check) for check in checks]})
    else:
        rows = [[c.name, "good" if c.good else "FAILED", c.found, c.fix] for c in checks]
        print_table(["check", "state", "found", "fix"], rows)
        print("next: convlens train" if not failed else f"{len(failed)} of {len(checks)} failed")
    if failed:
        raise typer.Exit(CHECK_FAILED)


def _python() -> Check:
    good = sys.version_info >= (3, 11)
    return Check("Python", good, platform.python_version(), "" if good else "use 3.11 or newer")


def _torch() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check("PyTorch", False, str(error), "pip install torch")
    works = torch.ones(2, 2).mm(torch.ones(2, 2)).sum().item() == 8
    return Check("PyTorch", works, torch.__version__, "" if works else "pip install torch again")


def _threads() -> Check:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    good = threads <= (cores or threads)
    fix = "" if good else f"set OMP_NUM_THREADS={cores}: more threads than cores are slower"
    return Check("threads", good, f"{threads} threads on {cores} cores", fix)


def _device() -> Check:
    from convlens.runs.provenance import device_name
    from convlens.train.optim import choose_device

    device = choose_device("auto")
    return Check("device", True, f"{device}: {device_name(device)}")


def _data() -> Check:
    from convlens.core.errors import DataError
    from convlens.data.sets.fashion_mnist import load_fashion_mnist

    try:
        data = load_fashion_mnist()
    except DataError as error:
        return Check("data", False, error.what, error.fix or "install convlens again")
    found = f"Fashion-MNIST, {len(data.train):,} + {len(data.test):,} images, checksums official"
    return Check("data", True, found)


def _write_rights(out: Path) -> Check:
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Check("write rights", False, f"{place}: {reason}", "name another folder with --out")
    return Check("write rights", True, f"run folders can be made in {out}")


def _buffers() -> Check:
    from convlens.core.allocator import keep_buffers

    found = keep_buffers()
    return Check("large buffers", True, f"{'kept' if found.kept else 'not kept'}: {found.why}")


def _precision() -> Check:
    from convlens.train.machine.precision import has_bfloat16, slowdown
    from convlens.train.optim import choose_device

    device = choose_device("auto")
    if has_bfloat16(device):
        found = f"this {device.type} has it: --set train.precision=auto tries it"
    elif device.type == "cpu":
        found = f"not on this cpu: imitated, a product takes {slowdown():.0f} times as long"
    else:
        found = f"not used on {device.type}"
    return Check("bfloat16", True, found)


def _denormals() -> Check:
    from convlens.train.machine.denormals import flushed_share, flushing_denormals

    with flushing_denormals():
        share = flushed_share()
    where = "in all threads" if share == 1 else f"in {share:.0%} of a tensor's numbers"
    return Check("denormals", True, f"zeros while training, {where}" if share else "kept")


def _others() -> Check:
    from convlens.train.machine.contention import measure

    found = measure()
    return Check("other programs", True, found.told(), found.advice)
