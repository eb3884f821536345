"""A folder is understood as a person means it, or refused by the rule that it breaks."""

from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.own.listing import Listing, is_picture, list_folder


def touch(root: Path, *names: str) -> Path:
    """Files of these names below `root`; what is in them is not looked at."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked at")
    return root


def parts(listing: Listing) -> dict[str, str | None]:
    return {item.name: item.part for item in listing.items}


def test_one_folder_per_class_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "class 10/1.png", "class 2/10.JPG", "class 2/9.jpeg", "class 2/deep/er/1.webp")
    listing = list_folder(tmp_path)
    assert listing.class_names == ("class 2", "class 10")
    assert [item.name for item in listing.items] == [
        "class 2/9.jpeg", "class 2/10.JPG", "class 2/deep/er/1.webp", "class 10/1.png",
    ]  # fmt: skip
    assert {item.part for item in listing.items} == {None}
    assert listing.paths()[3] == tmp_path / "class 10" / "1.png"
    assert listing.notes == ()


def test_train_val_and_test_are_parts(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"{part}/{label}/1.png" for part in ("Train", "val", "test") for label in "ab")
    )
    assert parts(list_folder(tmp_path)) == {
        "Train/a/1.png": "train", "Train/b/1.png": "train",
        "val/a/1.png": "validation", "val/b/1.png": "validation",
        "test/a/1.png": "test", "test/b/1.png": "test",
    }  # fmt: skip


def test_val_without_test_is_what_is_tested_on(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "valid/a/2.png")
    assert parts(list_folder(tmp_path))["valid/a/2.png"] == "test"


def test_train_alone_is_still_to_be_split(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png")
    assert {*parts(list_folder(tmp_path)).values()} == {None}


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "bus/1.png")
    assert list_folder(tmp_path).class_names == ("bus", "train")


def test_hidden_files_and_other_files_are_left_out_and_the_others_said(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "a/.2.png", ".git/1.png", "__MACOSX/1.png", "a/.x/3.png")
    assert len(list_folder(tmp_path).items) == 2
    touch(tmp_path, "a/notes.txt", "loose.png")
    listing = list_folder(tmp_path)
    assert len(listing.items) == 2
    assert listing.notes == (
        "1 pictures lie beside the folders of classes and are of no class",
        f"1 files are no pictures by their ending: {tmp_path / 'a' / 'notes.txt'}",
    )


REFUSED = [
    (["1.png", "2.png"], "no folders of classes in it, but 2 pictures"),
    (["a/1.png"], "one class only, 'a'"),
    (["a/1.png", "b/notes.txt"], "b: no pictures in this class"),
    (["Cat/1.png", "cat /1.png"], "class names that look the same: 'Cat', 'cat '"),
    (["train/a/1.png", "train/b/1.png", "test/c/1.png"], "class 'c', which has no pictures to"),
    (["train/a/1.png", "train/b/1.png", "test/A/1.png"], "did you mean 'a'"),
    (["train/a/1.png", "training/b/1.png"], "train, training mean the same"),
    (["test/a/1.png", "val/a/1.png"], "has test, val but no train"),
    (["train/1.png", "test/1.png"], "test: no folders of classes in it, but 1 pictures"),
    ([], "no folders of classes in it, but 0 pictures"),
]


@pytest.mark.parametrize(("names", "message"), REFUSED)
def test_a_folder_that_cannot_be_learned_from_is_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path}.*{message}"):
        list_folder(touch(tmp_path, *names))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder"):
        list_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "picture"),
    [("a.png", True), ("a.JPG", True), ("a.tiff", True), ("a.gif", True), ("a.webp", True),
     ("a.txt", False), (".a.png", False), ("png", False), ("a.pdf", False)],
)  # fmt: skip
def test_a_picture_is_known_by_its_ending(name: str, picture: bool) -> None:
    assert is_picture(name) == picture
