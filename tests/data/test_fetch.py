"""A download is the published file or an error that says what to do, whatever the server does."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from convlens.core.errors import DataError
from convlens.data.fetch import Download, Progress, fetch, is_whole

CONTENT = np.random.default_rng(0).bytes(300_000)
MANNERS: dict[str, Callable[["Handler"], None]] = {}


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under many names, each with manners of its own."""

    protocol_version = "HTTP/1.0"
    served: "Server"

    def do_GET(self) -> None:
        self.served.requests.append((self.path, self.headers["Range"]))
        MANNERS[self.path.rpartition("/")[2]](self)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is pytest's."""

    def send(
        self, body: bytes, status: int = 200, *, length: int | None = -1, part: str = ""
    ) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        self.wfile.write(body)

    @property
    def start(self) -> int:
        asked = self.headers["Range"]
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

    def send_rest(self, stop: int | None = None) -> None:
        """From the byte asked for on, up to `stop`, promising all."""
        start, total = self.start, len(CONTENT)
        part = f"bytes {start}-{total - 1}/{total}" if start else ""
        self.send(CONTENT[start:stop], 206 if start else 200, length=total - start, part=part)


class Server:
    """A server in a thread, and what it was asked for."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.stalled = threading.Event()
        handler = type("Bound", (Handler,), {"served": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


def manner(handle: Callable[[Handler], None]) -> Callable[[Handler], None]:
    MANNERS[handle.__name__] = handle
    return handle


@manner
def good(handler: Handler) -> None:
    handler.send_rest()


@manner
def cuts(handler: Handler) -> None:
    handler.send_rest(handler.start + 100_000)


@manner
def cuts_once_and_then_nothing(handler: Handler) -> None:
    handler.send_rest(120_000)


@manner
def ignores_range(handler: Handler) -> None:
    handler.send(CONTENT)


@manner
def lies(handler: Handler) -> None:
    handler.send(bytes(len(CONTENT)))


@manner
def other_length(handler: Handler) -> None:
    handler.send(b"<html>please log in</html>")


@manner
def endless(handler: Handler) -> None:
    handler.send(CONTENT + b"more", length=None)


@manner
def stalls(handler: Handler) -> None:
    handler.send(CONTENT[:1000], length=len(CONTENT))
    handler.served.stalled.wait(30)


@manner
def missing(handler: Handler) -> None:
    handler.send(b"", 404)


@manner
def broken(handler: Handler) -> None:
    handler.send(b"", 500)


@manner
def no_range(handler: Handler) -> None:
    if handler.start:
        handler.send(b"", 416)
    else:
        handler.send(CONTENT)


@manner
def other_range(handler: Handler) -> None:
    if handler.start:
        handler.send(CONTENT, 206, part=f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}")
    else:
        handler.send(CONTENT)


@manner
def no_http(handler: Handler) -> None:
    handler.wfile.write(b"hello\r\n\r\n")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stalled.set()
    server.http.shutdown()
    server.http.server_close()


def wanted(server: Server, *manners: str, content: bytes = CONTENT) -> Download:
    return Download(
        name="file.gz",
        urls=tuple(f"{server.url}/{manner}" for manner in manners),
        num_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def only_file(folder: Path) -> bytes:
    """The downloaded file, beside which nothing is left but the lock."""
    assert {path.name for path in folder.iterdir()} == {"file.gz", ".lock"}
    return (folder / "file.gz").read_bytes()


def test_a_file_is_fetched_once_and_its_progress_told(server: Server, tmp_path: Path) -> None:
    told: list[Progress] = []
    download = wanted(server, "good")
    folder = tmp_path / "a" / "b"
    assert fetch([download], folder, listen=told.append) == [folder / "file.gz"]
    assert only_file(folder) == CONTENT
    counts = [progress.num_bytes for progress in told]
    assert counts == sorted(counts)
    assert told[-1] == Progress("file.gz", download.urls[0], len(CONTENT), len(CONTENT))
    fetch([download], folder)
    assert len(server.requests) == 1


def test_a_cut_connection_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    fetch([wanted(server, "cuts")], tmp_path)
    assert only_file(tmp_path) == CONTENT
    asked = [asked for _, asked in server.requests]
    assert asked == [None, "bytes=100000-", "bytes=200000-"]


@pytest.mark.parametrize("name", ["good", "ignores_range", "no_range"])
def test_what_an_earlier_start_left_is_gone_on_with_or_begun_anew(
    server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file.gz.part").write_bytes(CONTENT[:50_000])
    fetch([wanted(server, name)], tmp_path)
    assert only_file(tmp_path) == CONTENT
    assert server.requests[0] == (f"/{name}", "bytes=50000-")


@pytest.mark.parametrize("left", [bytes(50_000), bytes(len(CONTENT)), bytes(len(CONTENT) + 9)])
def test_what_is_left_of_another_file_is_thrown_away(
    server: Server, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "file.gz.part").write_bytes(left)
    fetch([wanted(server, "good")], tmp_path)
    assert only_file(tmp_path) == CONTENT


def test_a_whole_part_is_put_in_place_without_a_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").write_bytes(CONTENT)
    fetch([wanted(server, "missing")], tmp_path)
    assert only_file(tmp_path) == CONTENT
    assert server.requests == []


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(bytes(len(CONTENT)))
    fetch([wanted(server, "good")], tmp_path)
    assert only_file(tmp_path) == CONTENT


BAD = {
    "lies": "not the published file (by its SHA-256)",
    "other_length": "its file has 26 bytes, not 300,000",
    "endless": "it sends more than 300,000 bytes",
    "stalls": "nothing came for 0.3 seconds",
    "missing": "404 Not Found",
    "broken": "500 Internal Server Error",
    "no_http": "hello",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_place_is_followed_by_the_next(server: Server, tmp_path: Path, name: str) -> None:
    fetch([wanted(server, name, "good")], tmp_path, timeout=0.3)
    assert only_file(tmp_path) == CONTENT


@pytest.mark.parametrize("name", BAD)
def test_where_all_places_are_bad_it_is_said_what_to_do(
    server: Server, tmp_path: Path, name: str
) -> None:
    download = wanted(server, name)
    other = Download(name="other.gz", urls=("http://example.org/other.gz",), num_bytes=1, sha256="")
    with pytest.raises(DataError, match=r"^cannot download file\.gz: 127\.0\.0\.1:") as error:
        fetch([download, other], tmp_path, timeout=0.3)
    assert BAD[name] in error.value.what
    assert download.urls[0] in error.value.fix
    assert "http://example.org/other.gz" in error.value.fix
    assert f"put them into {tmp_path}" in error.value.fix
    assert not (tmp_path / "file.gz").exists()


def test_another_range_than_the_one_asked_for_is_not_believed(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file.gz.part").write_bytes(CONTENT[:50_000])
    with pytest.raises(DataError, match="another part of a file"):
        fetch([wanted(server, "other_range")], tmp_path)


def test_a_place_that_ends_early_is_gone_on_with_at_the_next(
    server: Server, tmp_path: Path
) -> None:
    fetch([wanted(server, "cuts_once_and_then_nothing", "good")], tmp_path)
    assert only_file(tmp_path) == CONTENT
    assert server.requests[-1] == ("/good", "bytes=120000-")


def test_no_server_at_all_is_said(server: Server, tmp_path: Path) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(DataError, match="connection refused"):
        fetch([wanted(server, "good")], tmp_path)


def test_a_mirror_is_asked_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_MIRROR", server.url + "/school/")
    monkeypatch.setitem(MANNERS, "file.gz", good)
    fetch([wanted(server, "broken")], tmp_path / "mnist")
    assert server.requests == [("/school/mnist/file.gz", None)]


def test_two_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    download = wanted(server, "cuts")
    threads = [threading.Thread(target=fetch, args=([download], tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert only_file(tmp_path) == CONTENT
    assert len(server.requests) == 3  # the three pieces of one download


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written") as error:
        fetch([wanted(server, "good")], tmp_path / "file" / "mnist")
    assert "CONVLENS_CACHE" in error.value.fix


def test_a_file_is_whole_by_size_and_contents(server: Server, tmp_path: Path) -> None:
    download = wanted(server, "good")
    path = tmp_path / "file"
    assert not is_whole(path, download)
    path.write_bytes(CONTENT)
    assert is_whole(path, download)
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    assert not is_whole(path, download)
