"""The four trainings are the book's, and none is made twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from convlens.course.homework.trainings import TRAININGS, Trained, found, train_or_continue
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.runs.store import list_runs
from convlens.train.events import Event
from tests.course.homework.tiny import TINY


@pytest.fixture
def recipe(small_folder: Path) -> Recipe:
    return TINY.recipe_for("quick", folder=small_folder)


def train(recipe: Recipe, out: Path) -> Trained:
    return train_or_continue(TINY, recipe, "quick", out, [])


def test_the_full_edition_is_the_books() -> None:
    for training in TRAININGS:
        full, shipped = training.recipe_for("full"), load_recipe(training.recipe)
        assert full.train == shipped.train
        assert full.train.epochs == 10
        assert full.data == shipped.data
        assert full.data.validation == "test"
    sizes = {training.name: training.recipe_for("full").data.image_size for training in TRAININGS}
    assert sizes == {"lenet": 28, "lenet-relu-max": 28, "vgg11-slim": 224, "resnet18-d2l": 96}
    rates = [training.recipe_for("full").train.lr for training in TRAININGS]
    assert rates == [0.1, 0.1, 0.01, 0.01]


def test_only_what_the_book_shows_is_said_to_be_published() -> None:
    assert [training.published for training in TRAININGS] == [0.728, None, 0.896, 0.903]


def test_the_quick_edition_trains_both_lenets_in_full_and_less_of_the_large() -> None:
    for training in TRAININGS[:2]:
        assert training.recipe_for("quick") == training.recipe_for("full")
    for training in TRAININGS[2:]:
        quick = training.recipe_for("quick")
        assert quick.train.epochs == 1
        assert quick.data.image_size <= 32
        assert (quick.data.max_train_images or 60_000) < 60_000


def test_the_modern_lenet_has_only_other_activations_and_pools() -> None:
    book, modern = (training.recipe_for("full") for training in TRAININGS[:2])
    assert replace(modern.model, activation="sigmoid", pooling="avg") == book.model
    assert (modern.model.activation, modern.model.pooling) == ("relu", "max")
    assert (modern.train, modern.data) == (book.train, book.data)


def test_a_training_on_data_in_a_relative_folder_is_kept_too(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_folder.parent)
    relative = TINY.recipe_for("quick", folder=Path(small_folder.name))
    assert relative == TINY.recipe_for("quick", folder=small_folder)
    train(relative, tmp_path)
    assert train(relative, tmp_path).kept


def test_a_finished_training_is_kept_and_another_seed_is_another_training(
    recipe: Recipe, tmp_path: Path
) -> None:
    first = train(recipe, tmp_path)
    assert not first.kept
    again = train(recipe, tmp_path)
    assert again.kept
    assert again.run == first.run
    other = replace(recipe, train=replace(recipe.train, seed=1))
    assert train(other, tmp_path).run != first.run
    assert found(recipe, tmp_path) == first.run


def test_a_training_says_what_was_trained(recipe: Recipe, tmp_path: Path) -> None:
    trained = train(recipe, tmp_path)
    assert trained.what == (
        "2 epochs of 5 steps of 60 images at 28x28, kaiming start, learning rate 0.05 (one-cycle), "
        "momentum 0.9"
    )


def test_an_accuracy_outside_of_what_is_expected_does_not_agree(
    recipe: Recipe, tmp_path: Path
) -> None:
    trained = train(recipe, tmp_path)
    assert trained.agrees
    low = replace(TINY, expected=(trained.accuracy + 0.01, 1.0))
    assert not replace(trained, training=low).agrees
    assert replace(trained, training=replace(low, quick_expected=(0.0, 1.0))).agrees


def test_a_training_that_was_broken_off_ends_as_if_it_had_not_been(
    recipe: Recipe, tmp_path: Path
) -> None:
    whole = train(recipe, tmp_path / "whole")

    def stop(event: Event) -> None:
        if type(event).__name__ == "Checkpointed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_or_continue(TINY, recipe, "quick", tmp_path / "broken", [stop])
    broken = train(recipe, tmp_path / "broken")
    assert not broken.kept
    assert [run.name for run in list_runs(tmp_path / "broken")] == ["tiny-1"]
    assert "resumed" in broken.run.read_json("provenance.json")
    weights = [trained.run.weights_path("last").read_bytes() for trained in (whole, broken)]
    assert weights[0] == weights[1]


def test_a_damaged_run_is_not_found(recipe: Recipe, tmp_path: Path) -> None:
    trained = train(recipe, tmp_path)
    (trained.run.path / "recipe.toml").write_text("[train]\nepoch = 3\n", encoding="utf-8")
    assert found(recipe, tmp_path) is None
