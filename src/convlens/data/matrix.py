"""Matrices as people write them: on the command line, in text files, from numpy, as pictures.

"0 1 2; 3 4 5"         a row after each semicolon; commas are spaces
"1 2; 3 4 | 5 6; 7 8"  a channel after each bar
"[[0, 1], [2, 3]]"     nested lists, as deep as there are axes
numbers.csv, .txt      a row a line; an empty line starts a channel
numbers.npy            numpy's own, never with pickled objects
anything else          a picture, 0..255, one channel if it is grey and three if not
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ConfigError, DataError
from convlens.data.picture import read_pixels

TEXT_ENDINGS = (".csv", ".tsv", ".txt")
_NUMBERS = re.compile(r"[-+\d.eE,;|\[\]\s]+|.*\b(nan|inf)\b.*", re.IGNORECASE | re.DOTALL)


def is_numbers(text: str) -> bool:
    """Whether `text` is made of what numbers are written with, rather than the name of a file.

    >>> is_numbers("0 1; -2 3e4"), is_numbers("[[1, nan]]"), is_numbers("cat.png")
    (True, True, False)
    """
    return bool(_NUMBERS.fullmatch(text)) and any(c.isdigit() or c in "nN" for c in text)


def read_matrix(given: str, setting: str) -> Float[Tensor, "..."]:
    """The numbers that `given` is, or that the file of that name holds, as float64.

    >>> read_matrix("0 1; 2 3", "--kernel").tolist()
    [[0.0, 1.0], [2.0, 3.0]]

    Raises:
        ConfigError: numbers that make no matrix; it names the `setting`.
        DataError: a file that is missing or cannot be read.
    """
    if is_numbers(given):
        return parse_matrix(given, setting)
    path = Path(given)
    if not path.is_file():
        if re.search(r"[;|]|^\s*[-\d\[]", given):
            return parse_matrix(given, setting)  # its error names what is no number
        raise DataError(
            f"{setting} {given!r}: no such file, and no numbers",
            fix=f'write numbers as in {setting} "0 1; 2 3", or the name of a file',
        )
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    if path.suffix.lower() in TEXT_ENDINGS:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise DataError(f"{path}: {reason.lower()}") from None
        try:
            return parse_matrix(_as_written(text), str(path))
        except ConfigError as error:
            raise DataError(error.what) from None
    return read_pixels(path).pixels.double()


def parse_matrix(text: str, setting: str) -> Float[Tensor, "..."]:
    """The numbers written in `text` as float64: rows, or channels of rows, or nested lists.

    >>> parse_matrix("1 2; 3 4 | 5 6; 7 8", "--input").shape
    torch.Size([2, 2, 2])

    Raises:
        ConfigError: rows of different length, or something that is no number.
    """
    if text.lstrip().startswith("["):
        try:
            return _tensor(json.loads(re.sub(r"\bnan\b", "NaN", text, flags=re.I)), setting)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{setting}: nested lists with a mistake: {error}") from None
    channels = [
        [
            [_number(word, setting) for word in row.replace(",", " ").split()]
            for row in part.split(";")
            if row.strip(" ,\t\n\r")
        ]
        for part in text.split("|")
    ]
    return _tensor(channels if len(channels) > 1 else channels[0], setting)


def _tensor(numbers: Any, setting: str) -> Tensor:
    try:
        tensor = torch.tensor(numbers, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(
            f"{setting}: rows or channels of different length, or something that is no number"
        ) from None
    if tensor.numel() == 0:
        raise ConfigError(f"{setting}: holds no numbers")
    return tensor


def _number(word: str, setting: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ConfigError(
            f"{setting}: {word!r} is not a number",
            fix='write rows with a semicolon between them: "0 1 2; 3 4 5"',
        ) from None


def _as_written(text: str) -> str:
    """The lines of a file as one would write them on the command line."""
    if text.lstrip().startswith("["):
        return text
    channels = [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    return "|".join(";".join(part.splitlines()) for part in channels)


def _read_npy(path: Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"{path}: not an array that can be read safely: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{path}: must hold one array of real numbers")
    if array.size == 0:
        raise DataError(f"{path}: holds no numbers")
    return torch.from_numpy(array.astype(np.float64))
