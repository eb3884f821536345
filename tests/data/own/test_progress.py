"""Whoever listens is told of each picture, in order, and changes nothing."""

from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.own.listing import list_folder
from convlens.data.own.pixels import decode, looks
from convlens.data.own.progress import Reading, listening, told
from tests.pictures import write_shapes


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine pictures, of which the second is damaged, and a cache of the test's own."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    folder = write_shapes(tmp_path / "photos", num_each=3)
    (folder / "disc" / "1.png").write_bytes(b"no picture")
    return folder


def test_each_picture_is_told_and_those_that_cannot_be_read_are_counted(photos: Path) -> None:
    heard: list[Reading] = []
    with listening(heard.append):
        looks(list_folder(photos))
        decode(list_folder(photos), channels=3, size=16, fit="crop")
        decode(list_folder(photos), channels=3, size=16, fit="crop")  # which is kept
    for doing, events in (("looking at", heard[:10]), ("decoding", heard[10:])):
        assert [(event.doing, event.done) for event in events] == [(doing, n) for n in range(10)]
        assert [event.unreadable for event in events] == [0, 0, *[1] * 8]
        assert {(event.source, event.total) for event in events} == {(photos, 9)}


def test_with_a_listener_the_pixels_are_the_same(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = decode(list_folder(photos), channels=1, size=16, fit="pad")
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "other"))
    with listening(lambda reading: None):
        heard = decode(list_folder(photos), channels=1, size=16, fit="pad")
    assert heard.md5 == alone.md5
    assert (heard.rows, heard.corrupt) == (alone.rows, alone.corrupt)


def test_afterwards_nobody_is_told_also_when_it_failed() -> None:
    heard: list[Reading] = []
    with pytest.raises(ZeroDivisionError), listening(heard.append):
        raise ZeroDivisionError
    with listening(heard.append), listening(None):
        assert list(told([1, 2], doing="decoding", source=Path("a"), total=2)) == [1, 2]
    assert list(told([DataError("a")], doing="decoding", source=Path("a"), total=1))
    assert heard == []
