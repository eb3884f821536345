import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.peers import PeersError, lay_out_fashion_mnist, peers_python
from convlens.data.sets.fashion_mnist import load_fashion_mnist


def test_fashion_mnist_lies_where_torchvision_looks(tmp_path: Path) -> None:
    lay_out_fashion_mnist(tmp_path / "data")
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    assert len(list(raw.iterdir())) == 4
    assert load_fashion_mnist(raw).official


def test_an_interpreter_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeersError, match="not a Python that runs"):
        peers_python(tmp_path / "python", ("torch",))


def test_an_interpreter_without_the_peers_is_refused() -> None:
    with pytest.raises(PeersError, match=r": lacks no_such_peer\n"):
        peers_python(Path(sys.executable), ("torch", "no_such_peer"))


def test_an_interpreter_needs_only_what_is_asked_for() -> None:
    assert peers_python(Path(sys.executable), ("torch",)) == Path(sys.executable)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / ".venv-peers"
    monkeypatch.setattr(peers, "FOLDER", folder)
    monkeypatch.setattr(peers, "STAMP", folder / ".made")
    return folder


def pretend(monkeypatch: pytest.MonkeyPatch, status: int = 0) -> list[list[str]]:
    """Instead of running commands, keep them; make what `venv` makes, and fail in pip if asked."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        commands.append(command)
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True, exist_ok=True)
            (Path(command[-1]) / "bin" / "python").touch()
        elif status:
            raise subprocess.CalledProcessError(status, command, stderr=b"...\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


@pytest.mark.skipif(sys.platform == "win32", reason="pretends to be a POSIX venv")
def test_the_peers_are_made_once(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_ARGS", "--index-url 'https://a b'")
    commands = pretend(monkeypatch)
    python = peers_python(None, ("torch",))
    assert python == own_folder / "bin" / "python"
    venv, with_dependencies, without = commands
    assert venv[1:3] == ["-m", "venv"]
    assert "torch==2.14.1" in with_dependencies
    assert "https://a b" in with_dependencies
    assert without[-3:] == ["--no-deps", "d2l==1.0.3", "fastai==2.8.12"]
    assert peers_python(None, ("torch",)) == python
    assert len(commands) == 3  # nothing was done again


@pytest.mark.skipif(sys.platform == "win32", reason="pretends to be a POSIX venv")
def test_offline_the_message_says_why_and_what_to_do(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, status=1)
    with pytest.raises(PeersError) as caught:
        peers_python(None, ("torch",))
    assert caught.value.what == "cannot make .venv-peers: ERROR: no network"
    assert "--peers PYTHON" in caught.value.fix
    assert not (own_folder / ".made").exists()
