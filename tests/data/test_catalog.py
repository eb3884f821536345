"""Data sets by name, and their splits: no image is in two parts that should not share it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convlens.core.config import check
from convlens.core.errors import ConfigError, DataError, UnknownName
from convlens.data.catalog import (
    DATA_SETS,
    NUM_HELD_OUT,
    Splits,
    choose,
    load_data,
    nature,
    settle,
    split,
    where,
)
from convlens.data.config import DataConfig, Validation
from convlens.data.image_set import DataSet, ImageSet
from tests.pictures import write_shapes


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


def test_without_validation_all_training_images_are_trained_on(fashion_mnist: DataSet) -> None:
    splits = split(fashion_mnist, "none")
    assert splits.train is fashion_mnist.train
    assert splits.test is fashion_mnist.test
    assert len(splits.validation) == 0


@pytest.mark.parametrize("validation", ["test", "held-out", "none"])
def test_only_the_first_training_images_are_kept_if_so_many_are_asked_for(
    fashion_mnist: DataSet, validation: Validation
) -> None:
    whole = split(fashion_mnist, validation)
    some = split(fashion_mnist, validation, max_train_images=1_280)
    assert torch.equal(some.train.labels, fashion_mnist.train.labels[:1_280])
    assert torch.equal(some.validation.labels, whole.validation.labels)
    assert some.test is whole.test


def labelled(labels: list[int]) -> DataSet:
    """A data set to train on of these labels, an image's only pixel being its number."""
    images = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)
    names = tuple(f"class {number}" for number in range(max(labels) + 1))
    part = ImageSet(images, torch.tensor(labels), names)
    return DataSet(train=part, test=part[:1], files=())


def test_of_few_images_the_last_tenth_of_each_class_is_held_out(small: DataSet) -> None:
    splits = split(small, "held-out")
    for label in range(10):
        whole, trained, held_out = (
            part.images[part.labels == label]
            for part in (small.train, *learned_and_held_out(splits))
        )
        assert len(held_out) == len(whole) // 10 > 0
        assert torch.equal(torch.cat([trained, held_out]), whole)


def learned_and_held_out(splits: Splits) -> tuple[ImageSet, ImageSet]:
    """What is learned from, and what is held out of it."""
    return splits.train, splits.validation


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200))
def test_each_image_is_trained_on_or_held_out_and_each_class_is_trained_on(
    labels: list[int],
) -> None:
    assume(max(labels.count(label) for label in labels) > 1)
    splits = split(labelled(labels), "held-out")
    pixels = [*splits.train.images.flatten().tolist(), *splits.validation.images.flatten().tolist()]
    assert sorted(pixels) == list(range(len(labels)))
    assert {*splits.train.labels.tolist()} == {*labels}
    for label in {*labels}:
        count = labels.count(label)
        held_out = int((splits.validation.labels == label).sum())
        assert held_out == max(count // 10, int(count > 1))


def test_images_set_apart_to_tune_by_are_those_held_out(small: DataSet) -> None:
    apart = small.test[:3]
    splits = split(replace(small, validation=apart), "held-out")
    assert splits.train is small.train
    assert splits.validation is apart


def test_too_few_images_to_hold_any_out_say_how_to_go_on() -> None:
    with pytest.raises(DataError, match="cannot hold out any of 3 training images") as error:
        split(labelled([0, 1, 2]), "held-out")
    assert error.value.fix == "validate on the test set: --set data.validation=test"
    assert NUM_HELD_OUT == 5_000


def test_fifty_thousand_images_are_where_the_last_5000_begin_to_be_held_out() -> None:
    few, many = (
        split(DataSet(train=blank(count), test=blank(1), files=()), "held-out")
        for count in (49_990, 50_000)
    )
    assert (len(few.train), len(few.validation)) == (44_991, 4_999)
    assert (len(many.train), len(many.validation)) == (45_000, 5_000)


def blank(count: int) -> ImageSet:
    """So many black images of one pixel and one class."""
    images = torch.zeros(count, 1, 1, 1, dtype=torch.uint8)
    return ImageSet(images, torch.zeros(count, dtype=torch.int64), ("black",))


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


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_sets_own_sizes_are_what_a_recipe_leaves_out(name: str) -> None:
    entry = DATA_SETS[name]
    config = settle(DataConfig(name=name), frozenset({"name"}))
    assert config.image_size == entry.image_size
    assert (config.mean, config.std) == ((0.0,) * entry.channels, (1.0,) * entry.channels)
    assert nature(config).class_names == entry.class_names
    assert len({*entry.class_names}) == len(entry.class_names)


def test_what_a_recipe_says_of_its_data_stays() -> None:
    said = DataConfig(name="cifar-10", image_size=28, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert settle(said, frozenset({"name", "image_size", "mean", "std"})) == said


def test_the_folder_of_a_data_set_becomes_absolute_as_that_of_own_images_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for said, kept in (("here", "here"), ("~/mine", "home/mine"), (str(tmp_path / "a"), "a")):
        found = settle(DataConfig(folder=said), frozenset({"folder"}))
        assert found.folder == str(tmp_path / kept)
        assert settle(found, frozenset({"folder"})) == found
    assert settle(DataConfig(), frozenset()).folder is None
    with pytest.raises(ConfigError, match=r"^data\.folder: ~nobody-here/x is in the home of"):
        settle(DataConfig(folder="~nobody-here/x"), frozenset({"folder"}))


@pytest.mark.parametrize("setting", ["channels", "classes"])
def test_channels_and_classes_can_be_set_of_own_images_only(setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.{setting}: mnist has its own"):
        settle(DataConfig(name="mnist"), frozenset({"name", setting}))


def test_the_same_data_set_changes_nothing_of_a_recipe() -> None:
    before = {"name": "fashion-mnist", "mean": [0.1], "validation": "test"}
    assert choose("fashion-mnist", before) == before
    assert choose("fashion-mnist", {}) == {}


def test_another_data_set_brings_its_own_mean_and_keeps_the_way_to_validate() -> None:
    before = {"name": "mnist", "mean": [0.1], "validation": "test", "image_size": 32}
    assert choose("fashion-mnist", before) == {
        "name": "fashion-mnist", "validation": "test", "mean": [0.286], "std": [0.353],
    }  # fmt: skip


def test_a_folder_is_ones_own_images_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shapes(tmp_path / "shapes", num_each=2)
    monkeypatch.chdir(tmp_path)
    chosen = {"name": "own", "folder": str(tmp_path / "shapes")}
    assert choose("shapes", {"name": "fashion-mnist", "mean": [0.1]}) == chosen


def test_what_is_neither_a_data_set_nor_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'mnist'") as error:
        choose("mnits", {})
    assert "nor is there a folder" in error.value.fix
    with pytest.raises(DataError, match="nowhere: no such folder"):
        choose(str(tmp_path / "nowhere"), {})


def test_where_a_data_set_is_follows_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path))
    assert where("fashion-mnist") == "inside the package"
    assert where("mnist") == "to be downloaded, 11.6 MB"
    (tmp_path / "mnist").mkdir()
    for file in DATA_SETS["mnist"].downloads:
        with (tmp_path / "mnist" / file.name).open("wb") as stream:
            stream.truncate(file.num_bytes)
    assert where("mnist") == str(tmp_path / "mnist")
