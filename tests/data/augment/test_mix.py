"""Mixed images hold both images in the shares that their labels say."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from convlens.data.augment.mix import cutmix, mixup, soft
from tests.strategies import normal, seeds

shares = st.floats(0, 1)
places = st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
sizes = st.integers(1, 12)


def batch(height: int, width: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (5,), generator=generator)
    return (
        normal(5, 2, height, width, seed=seed, dtype=torch.float32),
        soft(labels, 4),
        torch.randperm(5, generator=generator),
    )


def test_a_soft_label_is_all_of_one_class() -> None:
    assert soft(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@given(sizes, sizes, seeds, shares)
def test_mixup_is_its_formula_image_by_image(
    height: int, width: int, seed: int, share: float
) -> None:
    x, labels, partner = batch(height, width, seed)
    mixed, targets = mixup(x, labels, partner, share)
    for number, other in enumerate(partner.tolist()):
        expected = share * x[number] + (1 - share) * x[other]
        torch.testing.assert_close(mixed[number], expected, atol=1e-5, rtol=1e-4)
        expected = share * labels[number] + (1 - share) * labels[other]
        torch.testing.assert_close(targets[number], expected)


@given(sizes, sizes, seeds, places)
def test_a_whole_share_leaves_the_batch(
    height: int, width: int, seed: int, place: tuple[float, float]
) -> None:
    x, labels, partner = batch(height, width, seed)
    for mixed, targets in (
        mixup(x, labels, partner, 1.0),
        cutmix(x, labels, partner, 1.0, place),
    ):
        assert torch.equal(mixed, x) and torch.equal(targets, labels)


@given(sizes, sizes, seeds, places)
def test_no_share_is_the_partner(
    height: int, width: int, seed: int, place: tuple[float, float]
) -> None:
    x, labels, partner = batch(height, width, seed)
    for mixed, targets in (
        mixup(x, labels, partner, 0.0),
        cutmix(x, labels, partner, 0.0, place),
    ):
        assert torch.equal(mixed, x[partner]) and torch.equal(targets, labels[partner])


@given(sizes, sizes, seeds, shares, places)
def test_cutmix_labels_count_the_pixels(
    height: int, width: int, seed: int, share: float, place: tuple[float, float]
) -> None:
    """Pixels of other images are marked by the number of the image they are of."""
    _, labels, partner = batch(height, width, seed)
    x = torch.arange(5.0)[:, None, None, None].expand(5, 1, height, width)
    mixed, targets = cutmix(x, labels, partner, share, place)
    for number in range(5):
        whose = mixed[number].flatten().long()
        torch.testing.assert_close(targets[number], labels[whose].mean(0))
        assert {number, int(partner[number])} >= set(whose.tolist())
    side = (1 - share) ** 0.5
    pasted = round(height * side) * round(width * side)
    assert int((mixed[partner != torch.arange(5)] != x[partner != torch.arange(5)]).sum()) == (
        pasted * int((partner != torch.arange(5)).sum())
    )


@given(sizes, sizes, seeds, shares, places)
def test_what_is_pasted_is_one_rectangle_from_the_same_place(
    height: int, width: int, seed: int, share: float, place: tuple[float, float]
) -> None:
    x, labels, partner = batch(height, width, seed)
    mixed, _ = cutmix(x, labels, partner, share, place)
    number = next((n for n in range(5) if partner[n] != n), None)
    if number is None:
        return
    changed = (mixed[number] != x[number])[0]
    rows, cols = changed.any(1), changed.any(0)
    assert torch.equal(changed, rows[:, None] & cols[None])
    for side in (rows, cols):
        where = side.nonzero().flatten()
        assert len(where) == 0 or int(where[-1] - where[0]) + 1 == len(where)
    assert torch.equal(mixed[number][:, changed], x[partner[number]][:, changed])


@given(seeds, shares, places)
def test_labels_of_mixed_images_sum_to_one(
    seed: int, share: float, place: tuple[float, float]
) -> None:
    x, labels, partner = batch(6, 7, seed)
    for _, targets in (
        mixup(x, labels, partner, share),
        cutmix(x, labels, partner, share, place),
    ):
        torch.testing.assert_close(targets.sum(1), torch.ones(5))
        assert (targets >= 0).all()
