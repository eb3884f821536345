import importlib.util
from pathlib import Path

import pytest

from benchmarks import workers
from benchmarks.epoch import CONTESTANTS, choose, report
from benchmarks.peers import PACKAGES, WITHOUT_DEPENDENCIES
from benchmarks.results import grid_lines

READY = {
    "import_seconds": 1.0,
    "data_seconds": 2.0,
    "build_seconds": 3.0,
    "threads": 2,
    "loader_workers": 4,
    "versions": {"torch": "2.0"},
}


def told(*seconds: float) -> list[dict[str, float]]:
    return [{"seconds": s, "accuracy": 0.5, "idle_cpu_seconds": 0.0} for s in seconds]


def test_the_ratios_are_of_the_same_round() -> None:
    made = report(
        dict.fromkeys(("d2l", "Keras on torch", "ConvLens"), READY),
        {
            "d2l": told(12.0, 30.0),
            "Keras on torch": told(10.0, 20.0),
            "ConvLens": told(2.0, 10.0),
        },
    )
    assert made.data["ratios"] == {
        "d2l / ConvLens": [6.0, 3.0],
        "Keras on torch / ConvLens": [5.0, 2.0],
    }
    text = "\n".join(line for grid in made.grids for line in grid_lines(grid))
    assert "10,000" in text  # 60,000 images in the median of ConvLens, 6 s
    assert "torch 2.0" in text


def test_all_take_part_unless_some_are_chosen() -> None:
    assert len(choose(())) == len(CONTESTANTS)
    assert [one.shown for one in choose(("fastai", "d2l"))] == ["d2l", "fastai", "ConvLens"]


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_contestant_has_a_worker_that_loads_without_its_packages(name: str) -> None:
    [folder] = workers.__path__
    path = Path(folder) / f"{CONTESTANTS[name].worker}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.prepare)


def test_what_a_contestant_needs_is_installed_in_one_exact_version() -> None:
    pinned = {line.partition("==")[0] for line in PACKAGES + WITHOUT_DEPENDENCIES if "==" in line}
    for contestant in CONTESTANTS.values():
        assert pinned >= {*contestant.needs}
