"""One switch for chance: seeds derived from one number, and repeatable computation."""

import hashlib
import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *path: int) -> int:
    """A 63-bit seed for one use of `seed`, such as the shuffle of one epoch.

    Different paths give unrelated seeds, so no use of chance disturbs another.

    >>> derive(0, 1) == derive(0, 1), derive(0, 1) == derive(0, 2)
    (True, False)
    """
    use = ",".join(map(str, (seed, *path)))  # unlike SeedSequence, which pads with zeros
    return int.from_bytes(hashlib.sha256(use.encode()).digest()[:8], "big") >> 1


@contextmanager
def reproducible(seed: int) -> Generator[None]:
    """Inside, the same seed gives the same numbers; afterwards all is as before.

    Python's, numpy's and torch's generators are seeded and restored. On a GPU, deterministic
    kernels are asked for, with a warning where there is none; on a CPU all kernels in use are
    deterministic already for a fixed number of threads.
    """
    gpus = torch.cuda.is_available()
    before = torch.are_deterministic_algorithms_enabled()
    before_warn = torch.is_deterministic_algorithms_warn_only_enabled()
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        if gpus:
            torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=before_warn)
            random.setstate(python)
            np.random.set_state(numpy)
