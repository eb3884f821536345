"""What is drawn depends on seed, epoch and step alone, and keeps to the settings."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from convlens.data.augment.apply import Augment
from convlens.data.augment.mix import soft
from convlens.data.augment.settings import AugmentConfig
from tests.strategies import seeds

NUM = 60
EVERYTHING = AugmentConfig(
    flip="random", rotate=10.0, translate=2, erase="rectangle", mixup=0.3, cutmix=1.0
)


def pixels(num: int = NUM, size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(1, 256, (num, 1, size, size), generator=generator, dtype=torch.uint8)


def augment(config: AugmentConfig, seed: int = 0) -> Augment:
    return Augment(config, seed=seed, num_images=NUM, num_classes=4)


INDEX = torch.arange(NUM)
LABELS = INDEX % 4


def drawn(config: AugmentConfig, epoch: int = 1, step: int = 0, seed: int = 0) -> Tensor:
    return augment(config, seed).pixels(pixels(), INDEX, epoch, step)


def test_with_the_defaults_the_very_images_and_labels_come_back() -> None:
    images, x = pixels(), torch.rand(NUM, 1, 8, 8)
    nothing = augment(AugmentConfig())
    assert nothing.pixels(images, INDEX, 1, 0) is images
    assert nothing.mix(x, LABELS, 1, 0)[0] is x
    assert nothing.mix(x, LABELS, 1, 0)[1] is LABELS


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": "random"},
        {"rotate": 15.0},
        {"translate": 2},
        {"erase": "square", "erase_size": 3},
        {"erase": "rectangle"},
    ],
)
def test_the_same_step_draws_the_same_and_another_does_not(settings: dict[str, Any]) -> None:
    config = AugmentConfig(**settings)
    assert torch.equal(drawn(config, 3, 4, 5), drawn(config, 3, 4, 5))
    for epoch, step, seed in ((2, 4, 5), (3, 5, 5), (3, 4, 6)):
        assert not torch.equal(drawn(config, epoch, step, seed), drawn(config, 3, 4, 5))


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1.0}])
def test_the_same_step_mixes_the_same_and_another_does_not(settings: dict[str, Any]) -> None:
    x, chance = torch.rand(NUM, 1, 8, 8), augment(AugmentConfig(**settings))
    assert torch.equal(chance.mix(x, LABELS, 3, 4)[0], chance.mix(x, LABELS, 3, 4)[0])
    for epoch, step in ((2, 4), (3, 5)):
        assert not torch.equal(
            chance.mix(x, LABELS, epoch, step)[0], chance.mix(x, LABELS, 3, 4)[0]
        )


@given(seeds, st.integers(0, 10))
def test_alternating_mirrors_each_image_in_every_other_epoch(seed: int, epoch: int) -> None:
    config = AugmentConfig(flip="alternating")
    images = pixels()
    one, other, third = (drawn(config, epoch + k, step=k, seed=seed) for k in range(3))
    for number in range(NUM):
        versions = {one[number].numpy().tobytes(), other[number].numpy().tobytes()}
        assert versions == {
            images[number].numpy().tobytes(), images[number].flip(2).numpy().tobytes(),
        }  # fmt: skip
    assert torch.equal(one, third)
    kept = sum(torch.equal(a, b) for a, b in zip(one, images, strict=True))
    assert 10 <= kept <= 50  # about half of 60; outside once in ten million draws


def test_alternating_goes_by_the_image_and_not_by_its_place_in_the_batch() -> None:
    chance = augment(AugmentConfig(flip="alternating"))
    order = torch.randperm(NUM, generator=torch.Generator().manual_seed(1))[:20]
    found = chance.pixels(pixels()[order], order, 1, 7)
    assert torch.equal(found, chance.pixels(pixels(), INDEX, 1, 0)[order])


def test_random_flips_are_of_half_the_images() -> None:
    kept = sum(
        torch.equal(new, image)
        for step in range(10)
        for new, image in zip(drawn(AugmentConfig(flip="random"), 1, step), pixels(), strict=True)
    )
    assert 240 <= kept <= 360  # of 600


def test_shifts_reach_their_largest_and_no_further() -> None:
    images = torch.zeros(NUM, 1, 9, 9, dtype=torch.uint8)
    images[:, :, 4, 4] = 255
    config = AugmentConfig(translate=2)
    moved = torch.cat([augment(config).pixels(images, INDEX, 1, step) for step in range(9)])
    places = (moved[:, 0] == 255).nonzero()[:, 1:]
    assert len(places) == 9 * NUM
    assert {tuple(place) for place in places.tolist()} == {
        (i, j) for i in range(2, 7) for j in range(2, 7)
    }


@pytest.mark.parametrize("padding", ["fill", "reflect"])
def test_the_padding_is_the_settings(padding: str) -> None:
    config = AugmentConfig(translate=3, padding=padding, fill=0)  # pyright: ignore[reportArgumentType]
    assert bool((drawn(config) == 0).any()) == (padding == "fill")  # no pixel was 0


def test_a_square_is_erased_in_every_image_and_a_rectangle_in_its_share() -> None:
    square = drawn(AugmentConfig(erase="square", erase_size=3)) == 0
    assert square.any((1, 2, 3)).all() and square.sum((1, 2, 3)).max() == 9
    config = AugmentConfig(erase="rectangle", erase_probability=0.25, erase_area=(0.1, 0.3))
    erased = torch.cat([drawn(config, 1, step) == 0 for step in range(20)]).sum((1, 2, 3))
    assert 200 < int((erased > 0).sum()) < 400  # of 1,200
    assert erased.max() <= 0.3 * 64 + 0.5 * 16 + 1  # to whole pixels, each side
    never = replace(config, erase_probability=0.0)
    assert torch.equal(drawn(never), pixels())


def test_one_kind_of_change_leaves_the_chance_of_another() -> None:
    both = AugmentConfig(flip="random", translate=2)
    alone = augment(AugmentConfig(translate=2)).pixels(
        drawn(AugmentConfig(flip="random")), INDEX, 1, 0
    )
    assert torch.equal(drawn(both), alone)


def test_mixing_draws_a_new_share_at_each_step() -> None:
    chance, x = augment(AugmentConfig(mixup=1.0)), torch.rand(NUM, 1, 8, 8)
    shares: set[float] = set()
    for step in range(50):
        _, targets = chance.mix(x, LABELS, 1, step)
        torch.testing.assert_close(targets.sum(1), torch.ones(NUM))
        shares |= {round(value, 4) for value in targets.flatten().tolist()}
    assert len(shares) > 40 and min(shares) < 0.1 and max(shares) > 0.9


def test_with_both_kinds_of_mixing_each_step_has_one() -> None:
    x = torch.rand(NUM, 1, 8, 8)
    whole = 0
    for step in range(40):
        mixed, targets = augment(EVERYTHING).mix(x, LABELS, 1, step)
        whole += bool((mixed == x).any())  # a pasted rectangle leaves the rest
        assert targets.shape == soft(LABELS, 4).shape
    assert 5 < whole < 40
