"""A person's own images as a data set: settings follow from them, damage is refused or skipped."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from convlens.core.errors import ConfigError, DataError
from convlens.data.config import DataConfig
from convlens.data.own import load
from convlens.data.own.load import load_own, settle_own
from tests.pictures import draw, write_shapes

NOTHING = frozenset({"name", "folder"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty pictures in three classes."""
    return write_shapes(tmp_path / "photos", num_each=10)


def own(place: Path, **settings: object) -> DataConfig:
    """Settled settings of the images at `place`."""
    config = replace(DataConfig(name="own", folder=str(place)), **settings)
    return settle_own(config, NOTHING | frozenset(settings))


def test_what_is_not_given_follows_from_the_images(photos: Path) -> None:
    config = own(photos)
    assert config.folder == str(photos)
    assert config.classes == ("disc", "square", "triangle")
    assert (config.channels, config.image_size) == (3, 32)
    means, stds = load_own(config).train.mean_and_std()
    assert config.mean == pytest.approx(means, abs=5e-5)
    assert config.std == pytest.approx(stds, abs=5e-5)


def test_what_is_given_stays(photos: Path) -> None:
    config = own(photos, channels=1, image_size=20, mean=(0.5,))
    assert (config.channels, config.image_size, config.mean) == (1, 20, (0.5,))
    assert len(config.std) == 1
    assert load_own(config).train.images.shape == (24, 1, 20, 20)


def test_settled_settings_need_no_images(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = own(photos)

    def no_listing(config: DataConfig) -> None:
        raise AssertionError("listed")

    monkeypatch.setattr(load, "own_listing", no_listing)
    assert settle_own(config, frozenset(DataConfig.__dataclass_fields__)) == config


def test_images_all_alike_have_a_standard_deviation_to_divide_by(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (28, 28), 51).save(tmp_path / "photos" / label / f"{number}.png")
    config = own(tmp_path / "photos")
    assert (config.mean, config.std) == ((0.2,), (1e-4,))


def test_a_fifth_of_each_class_is_kept_for_the_test_and_said(photos: Path) -> None:
    data = load_own(own(photos))
    assert data.train.labels.bincount().tolist() == [8, 8, 8]
    assert data.test.labels.bincount().tolist() == [2, 2, 2]
    assert data.validation is None
    assert data.notes[-1].startswith("no test folder: 20 % of each class")
    assert not data.official
    other = load_own(own(photos, split_seed=1))
    assert not other.test.images.equal(data.test.images)
    assert len(load_own(own(photos, test_share=0.5)).test) == 15


def test_parts_of_a_persons_own_are_kept(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "val", "test")):
        write_shapes(tmp_path / "photos" / part, num_each=4 - seed, seed=seed)
    data = load_own(own(tmp_path / "photos"))
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 9, 6)
    assert data.notes == ()
    disc = Image.open(tmp_path / "photos" / "val" / "disc" / "0.png").getpixel((20, 16))
    middles = data.validation.images[data.validation.labels == 0][:, :, 16, 16].tolist()
    assert list(disc if isinstance(disc, tuple) else ()) in middles


def test_each_image_has_the_label_of_its_folder(tmp_path: Path) -> None:
    for level, label in ((10, "night"), (240, "day")):
        for part in ("train", "test"):
            (tmp_path / "photos" / part / label).mkdir(parents=True)
            for number in range(5):
                Image.new("L", (30, 30), level + number).save(
                    tmp_path / "photos" / part / label / f"{number}.png"
                )
    data = load_own(own(tmp_path / "photos"))
    for images in (data.train, data.test):
        day = images.images.flatten(1).float().mean(1) > 128
        assert [images.class_names[label] for label in images.labels[day]] == ["day"] * 5
        assert [images.class_names[label] for label in images.labels[~day]] == ["night"] * 5


def test_a_table_is_as_good_as_a_folder(photos: Path) -> None:
    lines = [f"{path.relative_to(photos)},{path.parent.name}" for path in photos.rglob("*.png")]
    table = photos / "labels.csv"
    table.write_text("\n".join(lines))
    by_table, by_folder = load_own(own(table)), load_own(own(photos))
    assert by_table.test.images.equal(by_folder.test.images)
    assert by_table.test.labels.equal(by_folder.test.labels)


def damage(photos: Path, *names: str) -> None:
    for name in names:
        (photos / name).write_bytes(b"damaged")


def test_damaged_pictures_are_refused_with_their_names_and_the_way_out(photos: Path) -> None:
    damage(photos, *(f"disc/{number}.png" for number in range(9)), "square/0.png", "square/1.png")
    with pytest.raises(DataError, match="11 of 30 pictures cannot be read") as error:
        own(photos)
    assert "disc/0.png: not a picture" in error.value.fix
    assert "and 1 more" in error.value.fix
    assert error.value.fix.endswith("mend them, or leave them out: --set data.corrupt=skip")


def test_damaged_pictures_are_skipped_if_asked_and_listed(photos: Path) -> None:
    damage(photos, "disc/0.png")
    data = load_own(own(photos, corrupt="skip"))
    assert len(data.train) + len(data.test) == 29
    assert "1 pictures cannot be read and are left out:" in data.notes
    assert any(note.startswith("disc/0.png: not a picture") for note in data.notes)


def test_a_class_of_damaged_pictures_only_is_refused(photos: Path) -> None:
    damage(photos, *(f"disc/{number}.png" for number in range(10)))
    with pytest.raises(DataError, match="no picture of class 'disc' to train on can be read"):
        own(photos, corrupt="skip")


def test_a_test_of_damaged_pictures_only_is_refused(tmp_path: Path) -> None:
    write_shapes(tmp_path / "photos" / "train", num_each=2)
    write_shapes(tmp_path / "photos" / "test", num_each=1)
    damage(tmp_path / "photos", *(f"test/{name}/0.png" for name in ("disc", "square", "triangle")))
    with pytest.raises(DataError, match="no picture to test on can be read"):
        own(tmp_path / "photos", corrupt="skip")


def test_other_classes_than_those_of_the_settings_are_named(photos: Path) -> None:
    config = own(photos)
    (photos / "disc").rename(photos / "disk")
    with pytest.raises(DataError, match=r"class 'disk' is not one of data\.classes; did you mean"):
        load_own(config)


def test_what_is_no_folder_and_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^data\.folder: must name the folder of your images"):
        settle_own(DataConfig(name="own", folder=""), NOTHING)
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError, match=r"a\.txt: neither a folder nor a \.csv"):
        own(tmp_path / "a.txt")


def test_pictures_of_every_kind_and_size_become_one_kind_of_image(tmp_path: Path) -> None:
    for label in ("disc", "square"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        picture = draw(label, 0, size=(60, 40))
        picture.save(folder / "1.png")
        picture.convert("L").save(folder / "2.jpg")
        picture.convert("P").save(folder / "3.gif")
        picture.convert("RGBA").save(folder / "4.webp", lossless=True)
        picture.convert("CMYK").save(folder / "5.tiff")
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(folder / "6.png", exif=exif)
    config = own(tmp_path / "photos", test_share=0.0)
    assert (config.channels, config.image_size) == (3, 40)
    data = load_own(config)
    for label in range(2):
        images = [
            image.float()
            for part in (data.train, data.test)
            for image in part.images[part.labels == label]
        ]
        greys = [image.mean(0) for image in images]
        assert len(greys) == 6
        assert max((grey - greys[0]).abs().mean().item() for grey in greys) < 25
