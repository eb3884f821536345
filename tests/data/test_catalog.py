"""Data sets by name, and their splits: no image is in two parts that should not share it."""

from pathlib import Path

import pytest
import torch

from convlens.core.config import check
from convlens.core.errors import ConfigError, DataError, UnknownName
from convlens.data.catalog import DATA_SETS, NUM_HELD_OUT, load_data, split
from convlens.data.config import DataConfig
from convlens.data.image_set import DataSet


def test_held_out_images_are_the_last_5000_and_are_not_trained_on(fashion_mnist: DataSet) -> None:
    splits = split(fashion_mnist, "held-out")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (55_000, 5_000, 10_000)
    joined = torch.cat([splits.train.labels, splits.validation.labels])
    assert torch.equal(joined, fashion_mnist.train.labels)
    assert torch.equal(splits.validation.images, fashion_mnist.train.images[55_000:])
    assert splits.test is fashion_mnist.test


def test_the_book_trains_on_all_and_watches_the_test_images(fashion_mnist: DataSet) -> None:
    splits = split(fashion_mnist, "test")
    assert splits.train is fashion_mnist.train
    assert splits.validation is splits.test is fashion_mnist.test


def test_too_few_images_to_hold_any_out_say_how_to_go_on(small: DataSet) -> None:
    with pytest.raises(DataError, match="cannot hold out 5,000 of 600") as error:
        split(small, "held-out")
    assert error.value.fix == "validate on the test set: --set data.validation=test"
    assert NUM_HELD_OUT == 5_000


def test_a_data_set_is_read_from_the_folder_of_the_settings(small_folder: Path) -> None:
    data = load_data(DataConfig(folder=str(small_folder)))
    assert (len(data.train), len(data.test)) == (600, 100)


def test_a_tilde_is_the_home_folder(small_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(small_folder.parent))
    assert len(load_data(DataConfig(folder=f"~/{small_folder.name}")).train) == 600
    with pytest.raises(ConfigError, match=r"^data\.folder: ~nobody-here/x is in the home of"):
        load_data(DataConfig(folder="~nobody-here/x"))


def test_the_catalog_tells_what_the_data_is_before_it_is_read(fashion_mnist: DataSet) -> None:
    entry = DATA_SETS["fashion-mnist"]
    assert entry.class_names == fashion_mnist.train.class_names
    assert entry.channels == fashion_mnist.train.images.shape[1]
    edges = fashion_mnist.train.images[:, :, 0].float().mean() / 255
    assert entry.light_on_dark == (edges < 0.5)


def test_an_unknown_data_set_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="no data set 'fashion'; did you mean 'fashion-mnist'"):
        load_data(DataConfig(name="fashion"))


@pytest.mark.parametrize("setting", ["mean", "std"])
def test_every_channel_needs_its_own_mean_and_std(setting: str, small_folder: Path) -> None:
    values: dict[str, tuple[float, ...]] = {setting: (0.5, 0.5)}
    message = rf"^data\.{setting}: needs one number per channel \(1\), has 2$"
    with pytest.raises(ConfigError, match=message):
        load_data(DataConfig(folder=str(small_folder), **values))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "config", [DataConfig(image_size=0), DataConfig(std=(0.0,)), DataConfig(mean=(-0.1,))]
)
def test_settings_out_of_range_are_refused(config: DataConfig) -> None:
    with pytest.raises(ConfigError, match=r"^data\.\S+: input should be greater than "):
        check(config, section="data")
