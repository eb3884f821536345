"""Levels: numbers of any range as the 256 greys of a picture, and how that was done.

as-is    0..255 stays; what lies outside is cut off
signed   0 is mid-grey 128, the greatest magnitude black or white: for edges
stretch  the least is black, the greatest white
"""

import io
from pathlib import Path
from typing import Literal, get_args

from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.report.figures import write_picture

Levels = Literal["as-is", "signed", "stretch"]
LEVELS: tuple[Levels, ...] = get_args(Levels)


def levels_for(kernel: Float[Tensor, "kh kw"]) -> Levels:
    """How the result of a kernel is best shown: signed where grey areas become 0.

    >>> import torch
    >>> levels_for(torch.tensor([[1.0, -1.0]])), levels_for(torch.full((3, 3), 1 / 9))
    ('signed', 'as-is')
    """
    return "signed" if abs(kernel.sum()) < 1e-4 * kernel.abs().sum() else "as-is"


def to_levels(values: Float[Tensor, "c h w"], levels: Levels) -> tuple[UInt8[Tensor, "c h w"], str]:
    """The values as bytes, and a sentence that says how.

    >>> import torch
    >>> to_levels(torch.tensor([[[-2.0, 0.0, 1.0]]]), "signed")[0].tolist()
    [[[1, 128, 192]]]

    Raises:
        ConfigError: values that are not finite.
    """
    if not values.isfinite().all():
        raise ConfigError("the result holds numbers that are not finite: it cannot be drawn")
    least, most = values.min().item(), values.max().item()
    match levels:
        case "as-is":
            cut = ((values.round() < 0) | (values.round() > 255)).double().mean().item()
            shown = values
            how = f"as they are; {100 * cut:.2f} % outside 0..255 are cut off"
        case "signed":
            greatest = max(abs(least), abs(most))
            shown = 128 + values * (127 / (greatest or 1.0))
            how = f"0 to mid-grey 128, -{greatest:g} to 1 and {greatest:g} to 255"
        case "stretch":
            shown = (values - least) * (255 / ((most - least) or 1.0))
            how = f"{least:g} to black and {most:g} to white"
    return shown.round().clamp(0, 255).byte(), how


def save_levels(pixels: UInt8[Tensor, "c h w"], path: Path) -> None:
    """Write one channel as a grey PNG, three as a coloured one.

    Raises:
        ConfigError: another ending, or a place that cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: the result is a PNG; end its name in .png")
    array = pixels.permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(buffer, "PNG")
    write_picture(buffer.getvalue(), path)
