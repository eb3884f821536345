"""Labelled images in memory: what every data set is once it is loaded."""

from dataclasses import dataclass, replace

import torch

from convlens.core.errors import DataError
from convlens.core.shapes import Labels, Pixels


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images as bytes, on one device, and the class of each."""

    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(f"{len(self.images):,} images but {len(self.labels):,} labels")
        if len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.class_names):
                num_classes = len(self.class_names)
                raise DataError(
                    f"labels run from {low} to {high}, but there are {num_classes} classes"
                )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> "ImageSet":
        """A part of the set; it shares memory with the whole."""
        return replace(self, images=self.images[part], labels=self.labels[part])

    def to(self, device: torch.device) -> "ImageSet":
        """The same set on `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def mean_and_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, pixels scaled to 0..1, exactly.

        Counted by pixel value, so the sums are whole numbers and 60,000 images lose nothing.
        """
        means: list[float] = []
        stds: list[float] = []
        values = torch.arange(256, dtype=torch.float64) / 255
        for channel in range(self.images.shape[1]):
            pixels = self.images[:, channel].flatten()
            share = torch.bincount(pixels, minlength=256).cpu().double() / pixels.numel()
            mean = (share * values).sum()
            means.append(mean.item())
            stds.append((share * (values - mean) ** 2).sum().sqrt().item())
        return tuple(means), tuple(stds)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as published: what to learn from, and what to test on once."""

    train: ImageSet
    test: ImageSet
    files: tuple["FileState", ...]  # where it was read from
    validation: ImageSet | None = None  # images set apart to tune by, where there are such
    notes: tuple[str, ...] = ()  # what a person should know of how it was read

    @property
    def official(self) -> bool:
        """Every file is the published one, by its checksum."""
        return all(file.official is True for file in self.files)


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that was read, and whether it is the published one."""

    path: str
    md5: str  # of the file, once unzipped if it is gzip; of a person's own images: of all pixels
    official: bool | None  # None: there is nothing to compare it with
