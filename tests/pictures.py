"""Picture files made for tests: coloured shapes that a small network learns to tell apart."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("disc", "square", "triangle")


def draw(shape: str, seed: int, *, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """A dark shape on a light ground, colours and place by chance."""
    chance = np.random.default_rng([SHAPES.index(shape), seed])
    width, height = size
    light, dark = (tuple(chance.integers(low, low + 80, 3).tolist()) for low in (170, 0))
    image = Image.new("RGB", size, light)
    pen = ImageDraw.Draw(image)
    radius = 0.3 * min(size)
    x, y = width / 2 + chance.integers(-3, 4), height / 2 + chance.integers(-3, 4)
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "disc":
        pen.ellipse(box, fill=dark)
    elif shape == "square":
        pen.rectangle(box, fill=dark)
    else:
        pen.polygon(
            [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=dark
        )
    return image


def write_shapes(
    folder: Path, *, num_each: int, seed: int = 0, shapes: tuple[str, ...] = SHAPES
) -> Path:
    """One folder per shape with `num_each` pictures in it; gives `folder`."""
    for shape in shapes:
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for number in range(num_each):
            draw(shape, 1000 * seed + number).save(folder / shape / f"{number}.png")
    return folder
