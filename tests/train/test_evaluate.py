"""Evaluation averages over images exactly, and leaves the model as it found it."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.data.batches import Batches
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.train.evaluate import evaluate, evaluating, measure, predict_logits

NAMES = ("a", "b", "c")
modes = st.lists(st.booleans(), min_size=5, max_size=5)


def images(num: int, *, seed: int = 0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (num, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.randint(0, 3, (num,), generator=generator), NAMES)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Sequential(nn.Dropout(0.5)))


def in_order(data: ImageSet, batch_size: int) -> Batches:
    return Batches(data, batch_size, Prepare(2))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32))
def test_loss_and_accuracy_are_means_over_images_whatever_the_batches(
    num: int, batch_size: int, seed: int
) -> None:
    data, model = images(num, seed=seed), network()
    logits = model[1](data.images.flatten(1) / 255).detach().double()
    found = evaluate(model, in_order(data, batch_size))
    assert found.loss == pytest.approx(F.cross_entropy(logits, data.labels).item(), rel=1e-6)
    assert found.num_correct == int((logits.argmax(1) == data.labels).sum())
    assert found.accuracy == pytest.approx(found.num_correct / num)
    assert found.num_images == num
    assert found.seconds > 0


def test_the_mean_of_batch_means_would_be_another_number() -> None:
    """Nine images in batches of eight: the last image alone would weigh as much as eight."""
    data, model = images(9), network().eval()
    batches = in_order(data, 8)
    with torch.no_grad():
        means = [F.cross_entropy(model(x), y).item() for x, y in batches.epoch()]
        over_images = F.cross_entropy(predict_logits(model, batches), data.labels).item()
    assert evaluate(model, batches).loss == pytest.approx(over_images, rel=1e-6)
    assert abs(sum(means) / 2 - over_images) > 0.01


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 40))
def test_logits_come_in_the_order_of_the_images(num: int, one: int, other: int) -> None:
    data, model = images(num), network()
    first = predict_logits(model, in_order(data, one))
    assert first.shape == (num, 3)
    torch.testing.assert_close(first, predict_logits(model, in_order(data, other)))


def mode_of(model: nn.Module) -> list[bool]:
    return [part.training for part in model.modules()]


def in_modes(wanted: list[bool]) -> nn.Sequential:
    model = network()
    for part, training in zip(model.modules(), wanted, strict=True):
        part.training = training
    return model


@given(modes)
def test_inside_all_is_evaluation_and_no_graph_and_afterwards_all_is_as_before(
    wanted: list[bool],
) -> None:
    model = in_modes(wanted)
    with evaluating(model):
        assert not any(mode_of(model))
        assert not model(torch.rand(1, 1, 2, 2)).requires_grad
    assert mode_of(model) == wanted
    assert model(torch.rand(1, 1, 2, 2)).requires_grad


class Failing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ArithmeticError("on purpose")


@given(modes)
def test_the_modes_come_back_also_when_the_network_fails(wanted: list[bool]) -> None:
    model = in_modes(wanted)
    model.append(Failing().train(wanted[0]))
    with pytest.raises(ArithmeticError, match="on purpose"):
        evaluate(model, in_order(images(3), 2))
    assert mode_of(model) == [*wanted, wanted[0]]
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_shuffled_batches_are_refused_since_labels_are_taken_in_order() -> None:
    with pytest.raises(AssertionError, match="in order"):
        evaluate(network(), Batches(images(4), 2, Prepare(2), shuffle_seed=0))


@given(st.permutations(range(20)))
def test_the_order_of_the_images_does_not_matter(order: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 3, generator=generator) * 30
    labels = torch.randint(0, 3, (20,), generator=generator)
    found, expected = measure(logits[order], labels[order]), measure(logits, labels)
    assert found.loss == pytest.approx(expected.loss, rel=1e-14)
    assert found.num_correct == expected.num_correct
    assert torch.equal(found.confusion, expected.confusion)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_the_confusion_counts_each_image_where_it_belongs(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = (torch.tensor(column) for column in zip(*pairs, strict=True))
    result = measure(torch.eye(3)[predicted], labels)
    for true in range(3):
        for taken in range(3):
            assert result.confusion[true, taken] == pairs.count((true, taken))
    assert result.confusion.trace() == result.num_correct
