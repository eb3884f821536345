"""How training images are changed by chance: every setting of a recipe's section `[augment]`.

With the defaults they stay as they are. Validation and test images always do.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from convlens.core.config import Fraction
from convlens.core.errors import ConfigError

Probability = Annotated[float, Field(ge=0, le=1)]
PixelValue = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """What is done to each training image, in this order, before it is normalised; mixing after."""

    flip: Literal["none", "random", "alternating"] = "none"  # left and right exchanged: of half
    # the images by chance, or of each image in every other epoch
    rotate: NonNegativeFloat = 0.0  # the largest angle to either side, degrees
    translate: NonNegativeInt = 0  # the largest shift along each axis, pixels
    padding: Literal["fill", "reflect"] = "fill"  # what comes in where an image was shifted
    erase: Literal["none", "square", "rectangle"] = "none"  # paint a square over (cutout), or,
    # with erase_probability, a rectangle of random size and shape (random erasing)
    erase_size: NonNegativeInt = 8  # the side of the square, pixels; its centre is in the image
    erase_probability: Probability = 0.5  # of the rectangle, for each image
    erase_area: tuple[Fraction, Fraction] = (0.02, 0.3)  # least and largest share of the image that
    # the rectangle covers
    fill: PixelValue = 0  # the pixel value of what is outside the image, or erased
    mixup: NonNegativeFloat = 0.0  # images and labels are blended in pairs, the share drawn from
    # Beta(mixup, mixup); 0: none
    cutmix: NonNegativeFloat = 0.0  # a rectangle of another image is pasted in, its area drawn
    # from Beta(cutmix, cutmix); 0: none; with mixup: one of both by chance, at each step

    def __post_init__(self) -> None:
        least, largest = self.erase_area
        if not 0 < least <= largest:
            raise ConfigError("augment.erase_area: must rise, from above 0")
        if self.rotate > 180:
            raise ConfigError("augment.rotate: at most 180 degrees to either side")

    @property
    def mixes(self) -> bool:
        """Labels become shares of two classes."""
        return bool(self.mixup or self.cutmix)
