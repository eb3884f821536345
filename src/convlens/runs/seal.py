"""Sealed tensors: a safetensors file with a checksum of itself, which no flipped bit passes.

A JSON note lies in the file's own metadata. Its `sha256` is that of the whole file with the 64
digits themselves written as zeros, so header, note and numbers are covered alike.

Source: https://github.com/huggingface/safetensors for the format, which holds no code.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from convlens.core.errors import RunError
from convlens.core.files import write_whole

_UNSEALED = "0" * 64


def write_sealed(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
    """Write `tensors` and `note`, whole or not at all."""
    metadata = {"convlens": json.dumps({"sha256": _UNSEALED, **note})}
    rows = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    data = bytearray(safetensors.torch.save(rows, metadata=metadata))
    _place_digest(data, _UNSEALED, hashlib.sha256(data).hexdigest())
    write_whole(path, lambda stream: stream.write(data))


def read_sealed(path: Path, *, required: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors at `path`, on the CPU, and the note; unless `required`, also of unsealed files.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: it is damaged; says how.
    """
    try:
        data = bytearray(path.read_bytes())
        tensors = safetensors.torch.load(bytes(data))
        header = json.loads(data[8 : _header_end(data)])
        note: dict[str, Any] = json.loads(header.get("__metadata__", {}).get("convlens", "{}"))
        seal = note.pop("sha256", None)
    except FileNotFoundError:
        raise
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: not a whole safetensors file: {error}") from None
    if required or seal is not None:
        intact = isinstance(seal, str) and _place_digest(data, seal, _UNSEALED)
        if not intact or hashlib.sha256(data).hexdigest() != seal:
            raise RunError(f"{path}: damaged: its content is not what was written, by its checksum")
    return tensors, note


def _header_end(data: bytearray) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def _place_digest(data: bytearray, old: str, new: str) -> bool:
    """Write the digits `new` over `old`, which stand first in the note; False if they do not."""
    at = data.find(old.encode(), 8, _header_end(data)) if len(old) == len(new) else -1
    if at < 0:
        return False
    data[at : at + len(new)] = new.encode()
    return True
