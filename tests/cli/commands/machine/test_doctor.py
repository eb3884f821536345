"""`convlens doctor`, as a user meets it."""

from pathlib import Path

import pytest

from convlens.data.sets import fashion_mnist
from convlens.train.machine import contention
from tests.cli.conftest import Convlens

CHECKS = ["Python", "PyTorch", "threads", "device", "data", "write rights",
          "large buffers", "bfloat16", "denormals", "other programs"]  # fmt: skip


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


def test_a_busy_machine_is_told_with_a_fix_and_does_not_fail(
    convlens: Convlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> contention.Contention:
        return contention.Contention(threads=2, one_thread=2.0, all_threads=12.0)

    monkeypatch.setattr(contention, "measure", busy)
    monkeypatch.setenv("CONVLENS_KEEP_BUFFERS", "0")
    result = convlens("doctor", "--out", tmp_path, "--json")
    assert result.code == 0
    checks = {check["name"]: check for check in result.json["checks"]}
    assert "training may be 12 times slower" in checks["other programs"]["found"]
    assert "OMP_NUM_THREADS=1" in checks["other programs"]["fix"]
    assert checks["large buffers"]["found"] == "not kept: CONVLENS_KEEP_BUFFERS=0"
