"""Batches are floats in [0, 1] of images that stay in memory; loaders of torch work too."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812 - the field's own name for it
from torch.utils.data import DataLoader

from convlens import d2l
from convlens.d2l.data import ResidentLoader
from convlens.d2l.drawing import plt
from convlens.data.image_set import DataSet


@pytest.fixture
def data(small_folder: Path) -> d2l.FashionMNIST:
    return d2l.FashionMNIST(batch_size=64, root=small_folder)


def test_without_a_root_the_data_are_the_packages_own() -> None:
    data = d2l.FashionMNIST()
    assert (len(data.train), len(data.val), data.batch_size) == (60_000, 10_000, 64)
    assert len(data.train_dataloader()) == 938


def test_batches_are_what_torchvision_makes_of_the_images(
    data: d2l.FashionMNIST, small: DataSet
) -> None:
    x, y = next(iter(data.val_dataloader()))
    assert x.shape == (64, 1, 28, 28) and x.dtype == torch.float32
    assert torch.equal(x, small.test.images[:64].float() / 255)
    assert torch.equal(y, small.test.labels[:64])


@pytest.mark.parametrize("resize", [32, (32, 32), (40, 20)])
def test_images_are_resized_as_a_batch(
    small_folder: Path, small: DataSet, resize: int | tuple[int, int]
) -> None:
    x, _ = next(iter(d2l.FashionMNIST(8, resize, root=small_folder).val_dataloader()))
    size = (resize, resize) if isinstance(resize, int) else resize
    images = small.test.images[:8].float() / 255
    torch.testing.assert_close(x, F.interpolate(images, size, mode="bilinear"))


@pytest.mark.parametrize("size", [(96, 96), (40, 60)])
def test_an_enlarged_image_is_pils_but_for_its_rounding(
    small_folder: Path, small: DataSet, size: tuple[int, int]
) -> None:
    x, _ = next(iter(d2l.FashionMNIST(4, size, root=small_folder).val_dataloader()))
    height, width = size
    for ours, pixels in zip(x, small.test.images[:4, 0], strict=True):
        picture = Image.fromarray(pixels.numpy())
        theirs = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        assert np.abs(ours[0].numpy() * 255 - theirs).max() < 1.001


def test_each_image_is_there_once_in_another_order_each_epoch(data: d2l.FashionMNIST) -> None:
    loader = data.train_dataloader()
    labels = [torch.cat([y for _, y in loader]) for _ in range(2)]
    assert [len(y) for y in labels] == [600, 600]
    assert not torch.equal(labels[0], labels[1])
    assert torch.equal(labels[0].sort().values, labels[1].sort().values)


def test_the_order_follows_from_torchs_seed(data: d2l.FashionMNIST) -> None:
    orders: list[torch.Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        orders.append(torch.cat([y for _, y in data.train_dataloader()]))
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_examples_are_one_image_and_its_label_and_a_loader_of_torch_takes_them(
    data: d2l.FashionMNIST, small: DataSet
) -> None:
    x, y = data.val[-1]
    assert x.shape == (1, 28, 28) and y == small.test.labels[-1]
    with pytest.raises(IndexError):
        data.val[100]
    theirs, labels = next(iter(DataLoader(data.val, batch_size=64)))
    ours, expected = next(iter(data.val_dataloader()))
    assert torch.equal(theirs, ours) and torch.equal(labels, expected)


def test_a_loader_can_move_its_images_to_the_device_where_batches_are_wanted(
    data: d2l.FashionMNIST,
) -> None:
    device = d2l.try_gpu()
    loader = ResidentLoader(data.val, 50, shuffle=False)
    assert loader.to(device) is loader
    x, y = next(iter(loader))
    assert x.device.type == y.device.type == device.type and len(loader) == 2


def test_labels_have_names(data: d2l.FashionMNIST) -> None:
    assert data.text_labels(torch.tensor([0, 9])) == ["t-shirt", "ankle boot"]


def test_a_batch_is_shown_under_its_names_or_those_given(data: d2l.FashionMNIST) -> None:
    batch = next(iter(data.val_dataloader()))
    data.visualize(batch, ncols=3)
    assert [axes.get_title() for axes in plt.gcf().axes] == ["t-shirt", "trouser", "pullover"]
    data.visualize(batch, labels=["a"])
    assert plt.gcf().axes[0].get_title() == "a"
    plt.close("all")


def test_rows_of_tensors_are_shuffled_to_train_on_only() -> None:
    class Numbers(d2l.DataModule):
        batch_size = 5

    x = torch.arange(100)
    loader = Numbers().get_tensorloader((x,), train=False, indices=slice(90, None))
    assert torch.cat([row for (row,) in loader]).tolist() == list(range(90, 100))
    torch.manual_seed(0)
    rows = torch.cat([row for (row,) in Numbers().get_tensorloader((x,), train=True)])
    assert not torch.equal(rows, x) and torch.equal(rows.sort().values, x)
    with pytest.raises(NotImplementedError):
        Numbers().train_dataloader()
