"""An epoch sees every image once, in an order that only the seed and its number decide."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.shapes import Batch, Labels
from convlens.data.augment.apply import Augment
from convlens.data.augment.settings import AugmentConfig
from convlens.data.batches import Batches, Shard
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare

num_images = st.integers(1, 40)
batch_sizes = st.integers(1, 50)
seeds = st.none() | st.integers(0, 2**63 - 1)
epochs = st.integers(0, 50)


def numbered(num: int) -> ImageSet:
    """Images whose only pixel is their number, and so is their label."""
    numbers = torch.arange(num)
    names = tuple(map(str, range(num)))
    return ImageSet(numbers.to(torch.uint8)[:, None, None, None], numbers, names)


def batches(num: int, batch_size: int, seed: int | None) -> Batches:
    return Batches(numbered(num), batch_size, Prepare(1), shuffle_seed=seed)


def labels(of: list[tuple[Batch, Labels]]) -> list[int]:
    return [label for _, y in of for label in y.tolist()]


@given(num_images, batch_sizes, seeds, epochs)
def test_every_image_is_seen_once_with_its_own_label(
    num: int, batch_size: int, seed: int | None, epoch: int
) -> None:
    seen = list(batches(num, batch_size, seed).epoch(epoch))
    assert sorted(labels(seen)) == list(range(num))
    for x, y in seen:
        assert torch.equal((x.flatten() * 255).round().long(), y)


@given(num_images, batch_sizes, seeds, epochs)
def test_all_batches_are_full_but_perhaps_the_last(
    num: int, batch_size: int, seed: int | None, epoch: int
) -> None:
    made = batches(num, batch_size, seed)
    sizes = [len(y) for _, y in made.epoch(epoch)]
    assert len(sizes) == len(made)
    assert sizes[:-1] == [batch_size] * (len(made) - 1)
    assert 1 <= sizes[-1] <= batch_size


@given(num_images, batch_sizes, seeds, epochs, st.integers(0, 60))
def test_an_epoch_taken_up_again_goes_on_as_if_uninterrupted(
    num: int, batch_size: int, seed: int | None, epoch: int, start: int
) -> None:
    whole = list(batches(num, batch_size, seed).epoch(epoch))
    resumed = list(batches(num, batch_size, seed).epoch(epoch, start=start))
    assert len(resumed) == max(len(whole) - start, 0)
    for (x, y), (expected_x, expected_y) in zip(resumed, whole[start:], strict=True):
        assert torch.equal(x, expected_x)
        assert torch.equal(y, expected_y)


@given(num_images, seeds, epochs, batch_sizes, batch_sizes)
def test_the_order_depends_on_the_seed_and_the_epoch_alone(
    num: int, seed: int | None, epoch: int, one: int, other: int
) -> None:
    torch.manual_seed(one)
    first = labels(list(batches(num, one, seed).epoch(epoch)))
    torch.manual_seed(other)
    assert labels(list(batches(num, other, seed).epoch(epoch))) == first


@given(st.tuples(seeds, epochs), st.tuples(seeds, epochs))
def test_other_seeds_and_other_epochs_give_other_orders(
    one: tuple[int | None, int], other: tuple[int | None, int]
) -> None:
    in_order = one[0] is other[0] is None
    orders = [labels(list(batches(40, 40, seed).epoch(epoch))) for seed, epoch in (one, other)]
    assert (orders[0] == orders[1]) == (one == other or in_order)


def test_without_a_seed_images_come_in_their_own_order() -> None:
    assert labels(list(batches(10, 3, None).epoch(7))) == list(range(10))


@pytest.mark.parametrize("seed", [None, 3])
def test_drawing_an_epoch_disturbs_no_other_chance(seed: int | None) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(batches(10, 3, seed).epoch())
    assert torch.equal(torch.rand(3), expected)


def augmented(num: int, batch_size: int, config: AugmentConfig) -> Batches:
    plain = batches(num, batch_size, 1)
    augment = Augment(config, seed=2, num_images=num, num_classes=len(plain.data.class_names))
    return Batches(plain.data, batch_size, plain.prepare, shuffle_seed=1, augment=augment)


CHANGES = AugmentConfig(flip="alternating", translate=1, erase="rectangle", mixup=0.5)


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_an_augmented_epoch_taken_up_again_goes_on_as_if_uninterrupted(start: int) -> None:
    whole = list(augmented(20, 6, CHANGES).epoch(2))
    resumed = list(augmented(20, 6, CHANGES).epoch(2, start=start))
    for (x, y), (expected_x, expected_y) in zip(resumed, whole[start:], strict=True):
        assert torch.equal(x, expected_x)
        assert torch.equal(y, expected_y)


def test_augmentation_that_changes_nothing_gives_the_very_batches() -> None:
    pairs = zip(augmented(20, 6, AugmentConfig()).epoch(2), batches(20, 6, 1).epoch(2), strict=True)
    for (x, y), (expected_x, expected_y) in pairs:
        assert torch.equal(x, expected_x) and torch.equal(y, expected_y)


def test_pixels_are_changed_before_they_are_prepared_and_mixed_after() -> None:
    changed, plain = augmented(20, 6, CHANGES), batches(20, 6, 1)
    assert changed.augment is not None
    order = torch.tensor(labels(list(plain.epoch(2)))).split(6)
    for step, (x, y) in enumerate(changed.epoch(2)):
        chosen = order[step]
        pixels = changed.augment.pixels(plain.data.images[chosen], chosen, 2, step)
        mixed, targets = changed.augment.mix(
            plain.prepare(pixels), plain.data.labels[chosen], 2, step
        )
        assert torch.equal(x, mixed) and torch.equal(y, targets)


@given(num_images, st.integers(1, 9), st.integers(1, 5))
def test_shares_of_a_batch_are_disjoint_even_and_whole(num: int, part: int, size: int) -> None:
    """In each part alike, in order and by rank."""
    shards = [Shard(rank=rank, size=size, part_size=part).parts(num) for rank in range(size)]
    together = [[i for shard in shards for i in shard[n]] for n in range(len(shards[0]))]
    assert [i for each in together for i in each] == list(range(num))
    assert [len(each) for each in together[:-1]] == [part] * (len(together) - 1)
    for shares in zip(*shards, strict=True):
        lengths = [len(each) for each in shares]
        assert max(lengths) - min(lengths) <= 1


@given(
    num_images, batch_sizes, seeds, epochs, st.integers(1, 4), st.sampled_from([{}, {"mixup": 1.0}])
)
def test_the_shards_of_all_processes_are_the_batches_of_one(
    num: int, batch_size: int, seed: int | None, epoch: int, size: int, changes: dict[str, float]
) -> None:
    change = Augment(AugmentConfig(**changes), seed=0, num_images=num, num_classes=num)  # type: ignore[arg-type]
    whole = Batches(numbered(num), batch_size, Prepare(1), shuffle_seed=seed, augment=change)
    shards = [
        whole.sharded(Shard(rank=rank, size=size, part_size=batch_size)).epoch(epoch)
        for rank in range(size)
    ]
    for step, ((x, y), *shares) in enumerate(zip(whole.epoch(epoch), *shards, strict=True)):
        assert torch.equal(torch.cat([own for own, _ in shares]), x)
        assert torch.equal(torch.cat([own for _, own in shares]), y)
        assert whole.num_images(step) == len(y)
