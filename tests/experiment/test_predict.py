"""Pictures through the network of a run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convlens.core.errors import DataError
from convlens.data.image_set import DataSet
from convlens.experiment.execute import execute
from convlens.experiment.predict import predict_pictures
from convlens.experiment.recipe import load_recipe
from convlens.runs.store import Run


@pytest.fixture(scope="module")
def run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = [f"data.folder={small_folder}", "data.validation=test", "train.epochs=1"]
    return execute(load_recipe("lenet-modern", settings), out=tmp_path_factory.mktemp("runs"))


def test_a_test_image_as_a_picture_gets_the_probabilities_of_its_stored_logits(
    run: Run, small: DataSet, tmp_path: Path
) -> None:
    paths: list[Path] = []
    for index in range(3):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(small.test.images[index, 0].numpy()).save(paths[-1])
    predictions = predict_pictures(run, paths)
    with np.load(run.path / "predictions.npz") as stored:
        logits = torch.from_numpy(stored["logits"][:3]).double()
    found = torch.tensor([list(p.probabilities.values()) for p in predictions]).double()
    torch.testing.assert_close(found, logits.softmax(1), atol=1e-5, rtol=1e-5)
    assert [prediction.notes for prediction in predictions] == [()] * 3


def test_the_most_probable_class_comes_first(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "black.png"
    Image.new("L", (28, 28)).save(path)
    (prediction,) = predict_pictures(run, [path])
    ranked = [probability for _, probability in prediction.ranked()]
    assert ranked == sorted(prediction.probabilities.values(), reverse=True)
    assert sum(ranked) == pytest.approx(1)


def test_one_bad_picture_means_no_prediction(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        predict_pictures(run, [tmp_path / "missing.png"])
