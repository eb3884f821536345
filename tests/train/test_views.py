"""Averages over views are those of a loop over images, and leave what they should leave."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import UnknownName
from convlens.data.batches import Batches
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.train.evaluate import predict_logits
from convlens.train.views import VIEWS, View, average_views, least_confident, mirrored, moved
from tests.strategies import normal, seeds

NAMES = tuple("abc")


def images(num: int, seed: int = 0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (num, 1, 5, 6), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.randint(0, 3, (num,), generator=generator), NAMES)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 3), nn.Dropout(0.5)).train()


def in_order(data: ImageSet, batch_size: int = 7) -> Batches:
    return Batches(data, batch_size, Prepare((5, 6)))


@pytest.mark.parametrize("by", [-2, -1, 0, 1, 2])
def test_a_move_is_a_cut_of_the_reflected_image(by: int) -> None:
    x = normal(2, 3, 5, 6)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    expected = padded[:, :, 2 - by : 7 - by, 2 - by : 8 - by]
    assert np.array_equal(moved(x, by).numpy(), expected)


@pytest.mark.parametrize("name", VIEWS)
def test_the_weights_of_all_views_sum_to_one_with_some_left_for_the_image(name: str) -> None:
    assert 0 < 1 - sum(view.weight for view in VIEWS[name]) < 1


def by_hand(model: nn.Module, x: Tensor, name: str) -> Tensor:
    model.eval()
    with torch.no_grad():
        two = (model(x) + model(x.flip(3))) / 2
        if name == "mirror":
            return two
        moves = [moved(x, 1), moved(x, -1)]
        four = sum(model(m) + model(m.flip(3)) for m in moves) / 4
        return (two + four) / 2


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_only_the_least_confident_are_averaged(name: str, share: float) -> None:
    data, model = images(20), network()
    batches = in_order(data)
    logits = predict_logits(model, batches)
    found = average_views(model, batches, logits, VIEWS[name], share)
    expected = by_hand(model, Prepare((5, 6))(data.images), name)
    confidence = logits.softmax(1).amax(1)
    chosen = confidence <= confidence.sort().values[int(20 * share) - 1]
    assert int(chosen.sum()) == 20 * share
    torch.testing.assert_close(found[chosen], expected[chosen])
    assert torch.equal(found[~chosen], logits[~chosen])


def test_the_model_is_left_in_its_mode_and_the_logits_as_they_were() -> None:
    data, model = images(9), network()
    logits = predict_logits(model, in_order(data))
    before = logits.clone()
    average_views(model, in_order(data), logits, VIEWS["mirror"])
    assert model.training and torch.equal(logits, before)


@given(seeds, st.floats(0, 1))
def test_a_view_that_is_the_image_changes_nothing(seed: int, weight: float) -> None:
    data, model = images(6, seed), network()
    logits = predict_logits(model, in_order(data))
    same = (View(weight, lambda x: mirrored(mirrored(x))),)
    found = average_views(model, in_order(data), logits, same)
    torch.testing.assert_close(found, logits)


@given(seeds, st.integers(1, 30), st.floats(0.01, 1))
def test_none_of_the_rest_is_less_confident(seed: int, num: int, share: float) -> None:
    logits = normal(num, 4, seed=seed)
    chosen = least_confident(logits, share)
    confidence = logits.softmax(1).amax(1)
    rest = [confidence[k].item() for k in range(num) if k not in chosen.tolist()]
    assert share * num <= len(chosen) < share * num + 1
    assert confidence[chosen].max().item() <= min(rest, default=1.0)


def test_an_unknown_kind_gives_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'mirror'"):
        VIEWS["miror"]
