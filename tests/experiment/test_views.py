"""A run's plain evaluation is untouched by averaging, which has its own."""

from pathlib import Path

import pytest

from convlens.core.errors import ConfigError, UnknownName
from convlens.experiment.execute import evaluate_run, execute
from convlens.experiment.recipe import resolve
from convlens.experiment.views import evaluate_views
from convlens.runs.store import Run


@pytest.fixture(scope="module")
def run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    table = {
        "data": {"folder": str(small_folder), "validation": "test"},
        "model": {"name": "lenet-modern"},
        "train": {"epochs": 1, "batch_size": 60, "lr": 0.05, "device": "cpu"},
    }
    return execute(resolve("small", table), out=tmp_path_factory.mktemp("runs"))


def test_the_plain_evaluation_is_the_one_without_views(run: Run) -> None:
    plain, averaged = evaluate_views(run, "mirror")
    alone = evaluate_run(run)
    assert (plain.loss, plain.num_correct) == (alone.loss, alone.num_correct)
    assert averaged.num_images == plain.num_images
    assert averaged.loss != plain.loss
    assert averaged.seconds > plain.seconds


def test_a_small_share_changes_the_loss_less(run: Run) -> None:
    plain, averaged = evaluate_views(run, "mirror", share=0.01)
    assert 0 < abs(averaged.loss - plain.loss) < 0.1


def test_what_makes_no_sense_is_refused(run: Run) -> None:
    with pytest.raises(UnknownName, match="mirror"):
        evaluate_views(run, "miror")
    with pytest.raises(ConfigError, match="at most 1, not 2"):
        evaluate_views(run, "mirror", share=2.0)
