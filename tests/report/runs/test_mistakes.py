"""Mistakes: counts, scores and the surest errors are those of the predictions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import RunError
from convlens.data.image_set import DataSet
from convlens.report.runs.mistakes import (
    draw_confusion,
    draw_mistakes,
    predictions,
    read_predictions,
    same_images,
    scores,
)
from tests.report.runs.folders import make_run, write_predictions

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
def test_scores_are_counted_from_the_answers(answers: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in answers])
    logits = 5.0 * np.eye(4)[[predicted for _, predicted in answers]]
    confusion = predictions(labels, logits).confusion()
    assert confusion.sum() == len(answers)
    for score in scores(confusion):
        right = answers.count((score.label, score.label))
        of = sum(label == score.label for label, _ in answers)
        taken = sum(predicted == score.label for _, predicted in answers)
        assert score.num_images == of
        assert score.num_correct == right
        assert score.recall == (right / of if of else None)
        assert score.precision == (right / taken if taken else None)
        wrong = [p for label, p in answers if label == score.label != p]
        assert score.num_taken == max((wrong.count(p) for p in wrong), default=0)
        assert (score.taken_for is None) == (not wrong)


@given(st.integers(0, 1_000))
def test_the_worst_mistakes_are_wrong_and_the_surest_come_first(seed: int) -> None:
    chance = np.random.default_rng(seed)
    labels, logits = chance.integers(0, 3, 40), chance.normal(size=(40, 3))
    found = predictions(labels, logits)
    expected = torch.from_numpy(logits).softmax(1)
    assert np.allclose(found.probabilities, expected.numpy())
    worst = found.worst(5)
    sure = [mistake.probability for mistake in worst]
    assert sure == sorted(sure, reverse=True)
    kept = {mistake.index for mistake in worst}
    for mistake in worst:
        assert mistake.label == labels[mistake.index] != mistake.predicted
        assert mistake.probability == found.probabilities[mistake.index].max() > mistake.of_label
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    others = [found.probabilities[i].max() for i in wrong if int(i) not in kept]
    assert len(worst) == min(5, len(wrong))
    assert max(others, default=0) <= min(sure, default=1)


def test_huge_logits_are_probabilities_too() -> None:
    found = predictions(np.array([0]), np.array([[1e4, -1e4]]))
    assert found.probabilities.tolist() == [[1.0, 0.0]]


def test_predictions_are_read_back(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1")
    assert read_predictions(run) is None
    write_predictions(run, labels=[1, 2, 3], predicted=[1, 3, 3])
    found = read_predictions(run)
    assert found is not None
    assert found.predicted.tolist() == [1, 3, 3]
    assert [mistake.index for mistake in found.worst(9)] == [1]


@pytest.mark.parametrize("content", [b"", b"PK nothing", b"\x93NUMPY"])
def test_damaged_predictions_are_refused(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path, "lenet-1")
    (run.path / "predictions.npz").write_bytes(content)
    with pytest.raises(RunError, match=r"predictions\.npz: not labels and logits"):
        read_predictions(run)


def test_labels_that_do_not_fit_the_logits_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1")
    run.write_arrays("predictions.npz", {"labels": np.zeros(2), "logits": np.zeros((3, 10))})
    with pytest.raises(RunError, match="labels for"):
        read_predictions(run)


def test_the_confusion_matrix_shows_its_counts() -> None:
    confusion = np.array([[1_200, 3], [0, 0]])
    (axes,) = draw_confusion(confusion, ["a $x$", "b"]).axes
    assert [text.get_text() for text in axes.texts] == ["1,200", "3", "·", "·"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a $x$", "b"]
    (many,) = draw_confusion(np.eye(60, dtype=np.int64), [str(n) for n in range(60)]).axes
    assert not many.texts


def test_the_sheet_shows_the_mistaken_images(small: DataSet) -> None:
    labels = small.test.labels.numpy()
    logits = 4.0 * np.eye(10)[labels]
    logits[[7, 8]] = np.roll(logits[[7, 8]], 1, axis=1)  # taken for the next class
    found = predictions(labels, logits)
    assert same_images(found, small.test)
    assert not same_images(found, small.test[:50])
    mistakes = found.worst(6)
    axes = draw_mistakes(mistakes, small.test).axes[0]
    assert mistakes[0].index == 7
    name, taken = small.test.class_names[labels[7]], small.test.class_names[labels[7] + 1]
    assert axes.get_title().startswith(f"{name}\nas {taken}\n")
    shown = axes.images[0].get_array()
    assert shown is not None
    assert (np.asarray(shown) == small.test.images[7, 0].numpy()).all()
