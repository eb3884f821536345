"""A result says where it comes from, in plain JSON, wherever it was made."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from convlens import __version__
from convlens.runs import provenance as module
from convlens.runs.provenance import commit, cpu_name, device_name, provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that the code believes to run from."""
    source = tmp_path / "src" / "convlens" / "runs" / "provenance.py"
    source.parent.mkdir(parents=True)
    source.write_text("original")
    monkeypatch.setattr(module, "__file__", str(source))
    return tmp_path


def test_it_holds_the_versions_the_machine_and_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/convlens", "train", "my recipe.toml"])
    before = datetime.now(UTC).replace(microsecond=0)
    found = provenance(torch.device("cpu"), {"train-images": "f4a8"})
    assert json.loads(json.dumps(found)) == found
    assert before <= datetime.fromisoformat(found["started"]) <= datetime.now(UTC)
    assert found["command"] == "convlens train 'my recipe.toml'"
    assert found["python"] == platform.python_version()
    assert torch.__version__.startswith(found["versions"]["torch"].partition("+")[0])
    assert found["versions"]["convlens"] == __version__
    assert found["threads"] == torch.get_num_threads()
    assert (found["device"], found["device_name"]) == ("cpu", found["cpu"])
    assert found["data_md5"] == {"train-images": "f4a8"}


def test_the_commit_is_the_checkouts_and_says_if_it_was_changed(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message=first")
    git(checkout, "tag", "v1")
    head = git(checkout, "rev-parse", "HEAD").strip()
    assert commit() == head
    (checkout / "src/convlens/runs/provenance.py").write_text("changed")
    assert commit() == f"{head}-dirty"


def test_installed_code_has_no_commit(checkout: Path) -> None:
    assert commit() is None
    (checkout / ".git").mkdir()  # not one that git knows
    assert commit() is None


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(checkout, "init", "--quiet")
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_the_processor_has_a_name() -> None:
    assert cpu_name()
    assert device_name(torch.device("cpu")) == cpu_name()


def test_the_processor_has_a_name_on_machines_that_do_not_list_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "cpuinfo")
    assert cpu_name() == (platform.processor() or platform.machine())
    (tmp_path / "cpuinfo").write_text("processor: 0\n")
    assert cpu_name() == (platform.processor() or platform.machine())
    (tmp_path / "cpuinfo").write_text("processor: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert cpu_name() == "Some CPU @ 2 GHz"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
def test_a_gpu_is_called_what_its_maker_calls_it() -> None:
    assert device_name(torch.device("cuda")) == torch.cuda.get_device_name()
