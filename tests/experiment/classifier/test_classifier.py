"""A classifier learns arrays, repeatably, and is what scikit-learn takes for an estimator."""

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convlens
from convlens import Classifier
from convlens.core.errors import ConfigError, ConvLensError, DataError, RunError, ShapeError
from convlens.experiment.execute import execute, load_model
from convlens.experiment.recipe import resolve
from convlens.runs.checkpoint import save_weights
from tests.idx_files import learnable, write_small_fashion_mnist

X, Y = learnable(200, seed=1)
X_TEST, Y_TEST = learnable(100, seed=2)
NAMES = np.array([f"place {i}" for i in range(10)])
ROOT = Path(__file__).parents[3]


def small(**settings: Any) -> Classifier:
    given: dict[str, Any] = {"epochs": 3, "batch_size": 16, "lr": 0.01, "device": "cpu"}
    return Classifier(**given | settings)


def weights(classifier: Classifier) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in classifier.model_.state_dict().values()]


@pytest.fixture(scope="module")
def fitted() -> Classifier:
    """Fitted with names for labels; do not fit it again."""
    return small().fit(X, NAMES[Y])


def test_it_learns_and_predicts_in_the_labels_it_was_given(fitted: Classifier) -> None:
    assert fitted.score(X_TEST, NAMES[Y_TEST]) > 0.9
    predicted = fitted.predict(X_TEST)
    assert predicted.dtype == NAMES.dtype
    assert fitted.score(X_TEST, list(NAMES[Y_TEST])) == np.mean(predicted == NAMES[Y_TEST])
    assert fitted.classes_.tolist() == sorted(NAMES)


def test_probabilities_sum_to_one_and_the_largest_is_the_prediction(fitted: Classifier) -> None:
    probabilities = fitted.predict_proba(X_TEST)
    assert probabilities.shape == (100, 10)
    assert np.allclose(probabilities.sum(1), 1)
    assert (fitted.classes_[probabilities.argmax(1)] == fitted.predict(X_TEST)).all()


def test_a_prediction_is_of_its_image_alone(fitted: Classifier) -> None:
    assert (fitted.predict(X_TEST[::-1])[::-1] == fitted.predict(X_TEST)).all()


def test_the_same_seed_gives_the_same_weights_whatever_chance_was_before(
    fitted: Classifier,
) -> None:
    torch.manual_seed(123)
    expected = torch.rand(1)
    torch.manual_seed(123)
    again = small().fit(X, NAMES[Y])
    assert torch.equal(torch.rand(1), expected)
    assert weights(again) == weights(fitted)
    assert weights(small(seed=1).fit(X, NAMES[Y])) != weights(fitted)


def test_it_is_the_training_of_the_command_line_bit_for_bit(tmp_path: Path) -> None:
    """The same recipe on the same images, from files."""
    folder = write_small_fashion_mnist(tmp_path)
    images, labels = learnable(600, seed=1)
    found = small(epochs=1, batch_size=60).fit(images, labels)
    table = found.recipe_.to_table()
    data = {"folder": str(folder), "mean": list(found.recipe_.data.mean)}
    data |= {"std": list(found.recipe_.data.std), "validation": "held-out"}
    recipe = resolve("small", {**table, "data": data})
    run = execute(replace(recipe, train=found.recipe_.train), out=tmp_path / "runs")
    model = load_model(run, device="cpu")
    assert weights(found) == [t.numpy().tobytes() for t in model.state_dict().values()]
    last = run.summary()["validation"]["last"]
    assert found.history_[-1]["validation_accuracy"] == last["accuracy"]


def test_colour_images_of_another_size_are_learned(fitted: Classifier) -> None:
    colour = np.stack([X, X[:, ::-1], X], 3)[:, 2:, 2:]
    found = small(epochs=1).fit(colour / 255, Y)
    assert found.recipe_.data.image_size == 26
    assert found.recipe_.model.in_channels == 3
    assert found.predict(colour[:5]).shape == (5,)
    with pytest.raises(ShapeError, match=r"the images are 1x28x28, but those .* 3x26x26"):
        found.predict(X)


def test_a_count_or_a_share_is_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    for validation in (50, 0.25, np.int64(50), np.float64(0.25)):
        small(epochs=1, verbose=True).set_params(validation=validation).fit(X, Y)
        assert "training on 150 images" in capsys.readouterr().out


def test_images_to_watch_may_be_given(fitted: Classifier) -> None:
    found = small(epochs=1).fit(X, Y, validation=(X_TEST, Y_TEST))
    assert found.history_[0]["validation_accuracy"] == found.score(X_TEST, Y_TEST)
    with pytest.raises(DataError, match="label 17 is none of the classes"):
        small().fit(X, Y, validation=(X_TEST, [17] * 100))
    with pytest.raises(ShapeError, match="1x20x20"):
        small().fit(X, Y, validation=(X_TEST[:, 4:24, 4:24], Y_TEST))


def test_a_line_is_printed_for_each_epoch_if_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Classifier(epochs=2, verbose=True, device="cpu").fit(X[:60], Y[:60])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("for so few images: batches of 8")
    assert [line[:9] for line in lines[2:]] == ["epoch 1/2", "epoch 2/2"]
    assert [epoch["epoch"] for epoch in found.history_] == [1, 2]


def test_what_cannot_be_is_refused(fitted: Classifier) -> None:
    with pytest.raises(ConfigError, match="epoch: unknown setting; did you mean 'epochs'"):
        Classifier(epoch=3)
    with pytest.raises(ConvLensError, match=r"learned nothing yet\ncall fit"):
        Classifier().predict(X)
    with pytest.raises(ShapeError, match="200 images but 100 labels"):
        small().fit(X, Y[:100])
    with pytest.raises(ShapeError, match="100 images but 200 labels"):
        fitted.score(X_TEST, Y)
    with pytest.raises(ConfigError, match=r"train\.lr: .*not 'fast'"):
        small(lr="fast").fit(X, Y)


def test_parameters_are_got_and_set_by_the_constructors_names() -> None:
    found = small(model__activation="sigmoid", validation=0.2)
    assert Classifier(**found.get_params()).get_params() == found.get_params()
    assert found.set_params(lr=0.5, recipe="lenet", verbose=True) is found
    assert repr(found).startswith("Classifier('lenet', epochs=3")
    assert (found.get_params()["lr"], found.verbose, found.validation) == (0.5, True, 0.2)
    before = found.get_params()
    with pytest.raises(ConfigError, match="unknown setting"):
        found.set_params(lrr=1)
    assert found.get_params() == before


def test_a_saved_classifier_is_the_same_when_it_is_loaded(
    fitted: Classifier, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "net.safetensors")
    found = Classifier.load(tmp_path / "net.safetensors")
    assert (found.predict_proba(X_TEST) == fitted.predict_proba(X_TEST)).all()
    assert (found.predict(X_TEST) == fitted.predict(X_TEST)).all()
    assert found.get_params() == fitted.get_params()
    assert found.history_ == fitted.history_
    assert found.recipe_ == fitted.recipe_


def test_what_cannot_be_saved_or_loaded_is_told(fitted: Classifier, tmp_path: Path) -> None:
    pairs: list[Any] = [(int(label), 0) for label in Y]
    with pytest.raises(RunError, match="labels to be saved are text, numbers"):
        small(epochs=1).fit(X, pairs).save(tmp_path / "a")
    with pytest.raises(RunError, match="cannot be written: no such file"):
        fitted.save(tmp_path / "nowhere" / "a")
    with pytest.raises(RunError, match="no such file"):
        Classifier.load(tmp_path / "a")
    save_weights(tmp_path / "a", fitted.model_, {})
    with pytest.raises(RunError, match="not a classifier"):
        Classifier.load(tmp_path / "a")
    with pytest.raises(ConvLensError, match="learned nothing yet"):
        Classifier().save(tmp_path / "a")


def test_pickle_keeps_it_too(fitted: Classifier) -> None:
    found = pickle.loads(pickle.dumps(fitted))
    assert (found.predict_proba(X_TEST) == fitted.predict_proba(X_TEST)).all()


def test_scikit_learn_takes_it_for_a_classifier(fitted: Classifier) -> None:
    base = pytest.importorskip("sklearn.base")
    assert base.is_classifier(fitted)
    found = base.clone(fitted)
    assert found.get_params() == fitted.get_params()
    validation = pytest.importorskip("sklearn.utils.validation")
    validation.check_is_fitted(fitted)
    with pytest.raises(ValueError, match="not fitted"):
        validation.check_is_fitted(found)


def test_scikit_learns_tools_work_with_it() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    scores = selection.cross_val_score(small(), X, Y, cv=2)
    assert scores.shape == (2,)
    assert scores.min() > 0.5
    scaled = pipeline.make_pipeline(
        preprocessing.FunctionTransformer(lambda images: images / 255), small()
    )
    grid = {"classifier__lr": np.array([1e-6, 0.01]), "classifier__model__activation": ["relu"]}
    search = selection.GridSearchCV(scaled, grid, cv=2).fit(X, Y)
    assert search.best_params_["classifier__lr"] == 0.01
    assert search.score(X_TEST, Y_TEST) > 0.9


def test_torch_is_not_loaded_before_the_classifier_is_asked_for() -> None:
    code = "import sys, convlens; assert 'torch' not in sys.modules; convlens.Classifier"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "src")
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        convlens.Clasifier  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.parametrize("page", ["README.md", "docs/classifier.md"])
def test_what_the_pages_show_runs(page: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    shown = [block for block in blocks if "Classifier(" in block]
    assert shown
    if any("sklearn" in block for block in shown):
        pytest.importorskip("sklearn")
    for block in shown:
        names = {"X": X, "y": Y, "X_test": X_TEST, "y_test": Y_TEST}
        exec(block, names)
