import sys
from pathlib import Path

import pytest
import torch

from benchmarks.networks import NETWORKS as PLAIN
from benchmarks.pipe import Worker, our_env, peers_env
from benchmarks.step import NETWORKS, SETTINGS, DifferentWorkError, check_losses, report, start_of
from convlens.experiment.recipe import load_recipe


def test_each_network_has_a_plain_edition() -> None:
    assert {*NETWORKS} == {*PLAIN}


def test_the_target_stands_beside_the_plain_loop() -> None:
    names = ("lenet plain", "lenet plain, the peers' torch", "lenet ConvLens")
    ready = {"versions": {"torch": "2.0"}, "keeps_buffers": False}
    made = report(
        {name: [4.0, 6.0] for name in names},
        {name: [2.3, 2.2] for name in names},
        dict.fromkeys(names, ready),
    )
    assert made.data["ratios"]["lenet plain / lenet ConvLens"] == [1.0, 1.0]
    targets = {row[0]: row[-1] for row in made.grids[1].rows}
    assert targets == {
        "lenet plain / lenet ConvLens": "1.5",
        "lenet plain, the peers' torch / lenet ConvLens": "",
    }


def test_losses_that_differ_are_refused() -> None:
    check_losses({"a": [2.3, 2.2], "b": [2.3001, 2.201], "c": [2.3, 2.2]})
    with pytest.raises(DifferentWorkError, match=r"step 1: the loss of a is 2\.3, of c 2\.4"):
        check_losses({"a": [2.3, 2.2], "b": [2.3, 2.2], "c": [2.4, 2.2]})


@pytest.mark.processes
def test_both_contestants_do_the_same_work(tmp_path: Path) -> None:
    start = start_of(load_recipe("lenet-modern", SETTINGS), num_steps=3)  # it scales its pixels
    torch.save(start, tmp_path / "start.pt")
    here, losses = Path(sys.executable), dict[str, list[float]]()
    for name, args, env in (
        ("plain", ("lenet-modern",), peers_env()),
        ("convlens", ("lenet-modern", *SETTINGS), our_env()),
    ):
        module = f"benchmarks.workers.{name}_step"
        with Worker(here, module, *args, folder=tmp_path, env=env) as worker:
            losses[name] = worker.ask(check=2)["losses"]
            assert worker.ask()["milliseconds"] > 0
    assert len(losses["plain"]) == 2
    assert losses["plain"] == pytest.approx(losses["convlens"], rel=1e-4)
