"""Run folders: files are whole or not at all, numbers are never given twice."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import RunError
from convlens.runs.store import Run, create_run, list_runs, open_run, run_of_launch


def make_runs(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        Run(root / name).write_recipe({"train": {"lr": 0.1}})


@given(st.sets(st.integers(1, 1_000), max_size=5))
def test_a_new_run_has_the_next_number(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int]
) -> None:
    root = tmp_path_factory.mktemp("runs")
    for number in numbers:
        (root / f"lenet-{number}").mkdir()
    (root / "lenet-modern-2000").mkdir()  # another recipe's
    (root / "lenet-x").mkdir()
    run = create_run("lenet", root)
    assert run.name == f"lenet-{max(numbers, default=0) + 1}"
    assert run.path.is_dir()


def test_the_folder_of_runs_is_made_with_the_first_run(tmp_path: Path) -> None:
    assert create_run("lenet", tmp_path / "some" / "where").path == tmp_path / "some/where/lenet-1"


def test_runs_created_at_the_same_time_have_folders_of_their_own(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def create(_: int) -> list[str]:
        barrier.wait()
        return [create_run("lenet", tmp_path).name for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        names = [name for some in pool.map(create, range(8)) for name in some]
    assert sorted(names) == sorted(f"lenet-{number}" for number in range(1, 41))


def test_a_number_that_was_taken_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        (tmp_path / f"lenet-{number}").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(()))  # as seen before they were made
    assert create_run("lenet", tmp_path).name == "lenet-3"


@pytest.mark.parametrize("inner", ["", "runs"])
def test_where_no_folder_can_be_made_the_error_says_so(tmp_path: Path, inner: str) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(RunError, match="cannot make a run folder there: ") as error:
        create_run("lenet", file / inner)
    assert error.value.fix == "name another with --out"
    assert file.read_text() == "in the way"


def test_runs_are_listed_in_natural_order_without_other_folders(tmp_path: Path) -> None:
    make_runs(tmp_path, "lenet-10", "lenet-9", "a-1")
    (tmp_path / "empty-1").mkdir()
    (tmp_path / "file").touch()
    assert [run.name for run in list_runs(tmp_path)] == ["a-1", "lenet-9", "lenet-10"]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_opened_by_its_name_or_its_path(tmp_path: Path) -> None:
    make_runs(tmp_path, "lenet-1")
    assert open_run("lenet-1", tmp_path).path == tmp_path / "lenet-1"
    assert open_run(str(tmp_path / "lenet-1"), Path("elsewhere")).name == "lenet-1"


def test_an_unknown_run_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    make_runs(tmp_path, "lenet-1", "modern-1")
    with pytest.raises(RunError, match=r"^no run 'lenet1' in .*; did you mean 'lenet-1'\?\nlist"):
        open_run("lenet1", tmp_path)
    with pytest.raises(RunError, match="there is: lenet-1, modern-1"):
        open_run("zzz", tmp_path)
    with pytest.raises(RunError, match="there is none yet"):
        open_run("zzz", tmp_path / "nowhere")


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no recipe\.toml in it"):
        open_run(str(tmp_path), tmp_path)


def test_a_recipe_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = {"train": {"lr": 0.1, "epochs": 3}, "data": {"mean": [0.5]}}
    Run(tmp_path).write_recipe(table)
    assert Run(tmp_path).read_recipe() == table


def damage(name: str, read: Callable[[Run], object], message: str) -> Any:
    return pytest.param(name, read, message, id=name)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{"])
@pytest.mark.parametrize(
    ("name", "read", "message"),
    [
        damage("recipe.toml", Run.read_recipe, r"recipe\.toml: not "),
        damage("summary.json", Run.summary, r"summary\.json: not JSON"),
        damage("provenance.json", lambda run: run.read_json("provenance.json"), "not JSON"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(
    tmp_path: Path, content: bytes, name: str, read: Callable[[Run], object], message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=message):
        read(Run(tmp_path))


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("[1]")
    with pytest.raises(RunError, match=r"summary\.json: not JSON of an object"):
        Run(tmp_path).summary()


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a whole run folder"):
        Run(tmp_path).read_recipe()


def test_a_run_without_a_summary_is_unfinished(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.summary() == {"status": "unfinished"}
    assert run.read_json("provenance.json") == {}
    assert run.records() == []
    run.write_json("summary.json", {"status": "finished", "by": "Ünsal"})
    assert run.summary() == {"status": "finished", "by": "Ünsal"}
    assert json.loads((tmp_path / "summary.json").read_bytes())["by"] == "Ünsal"


def test_records_are_those_that_were_appended(tmp_path: Path) -> None:
    Run(tmp_path).append_record("A", {"x": 1})
    assert Run(tmp_path).records() == [{"event": "A", "x": 1}]


def test_arrays_are_read_back_without_unpickling(tmp_path: Path) -> None:
    arrays = {"labels": np.arange(3), "logits": np.ones((3, 2), np.float32)}
    Run(tmp_path).write_arrays("predictions.npz", arrays)
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as found:
        assert sorted(found) == ["labels", "logits"]
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array)


def test_arrays_that_would_need_pickle_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        Run(tmp_path).write_arrays("a.npz", {"objects": np.array([{}])})
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_in_the_folder_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".recipe.toml.abc.part").touch()
    (tmp_path / "recipe.toml").touch()
    Run(tmp_path).sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_records_can_be_cut(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for event in "ABC":
        run.append_record(event, {})
    run.sync_records()
    run.cut_records(2)
    assert run.records() == [{"event": "A"}, {"event": "B"}]


def test_a_launch_finds_its_newest_run(tmp_path: Path) -> None:
    assert run_of_launch("x", tmp_path) is None
    for launch in ("x", "y", "x", None):
        run = create_run("lenet", tmp_path)
        run.write_recipe({})
        run.write_json("provenance.json", {} if launch is None else {"launch": launch})
    found = run_of_launch("x", tmp_path)
    assert found is not None and found.name == "lenet-3"
    assert run_of_launch("z", tmp_path) is None
