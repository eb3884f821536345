"""`convlens doctor`, as a user meets it."""

from pathlib import Path

import pytest

from convlens.data.sets import fashion_mnist
from tests.cli.conftest import Convlens

CHECKS = ["Python", "PyTorch", "threads", "device", "data", "write rights"]


def test_a_good_machine_passes_every_check(convlens: Convlens, tmp_path: Path) -> None:
    result = convlens("doctor", "--out", tmp_path / "runs", "--json")
    assert result.code == 0
    assert [check["name"] for check in result.json["checks"]] == CHECKS
    assert not (tmp_path / "runs").exists()  # looking leaves nothing behind
    assert "next: convlens train" in convlens("doctor", "--out", tmp_path).out


def test_missing_data_and_missing_rights_fail_with_a_fix(
    convlens: Convlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "PACKAGED", tmp_path)
    (tmp_path / "file").write_text("in the way")
    result = convlens("doctor", "--out", tmp_path / "file" / "runs", "--json")
    assert result.code == 1
    failed = {check["name"]: check for check in result.json["checks"] if not check["good"]}
    assert failed.keys() == {"data", "write rights"}
    assert all(check["fix"] for check in failed.values())
