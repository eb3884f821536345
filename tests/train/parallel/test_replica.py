"""A replica's gradient is that of the model, part by part, auxiliary logits included."""

from collections.abc import Generator
from copy import deepcopy

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]
from torch.testing import assert_close

from convlens.data.batches import Shard
from convlens.nn.auxiliary import AuxiliaryLogits, classification_loss
from convlens.train.parallel.processes import Processes
from convlens.train.parallel.replica import Replica, no_loss


class Graded(nn.Module):
    """A network that is also graded half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.aside = nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> AuxiliaryLogits:
        y = self.first(x.flatten(1)).relu()
        return AuxiliaryLogits(self.last(y), (self.aside(y),))


@pytest.fixture
def world() -> Generator[Processes]:
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield Processes({"LOCAL_RANK": "0"})
    dist.destroy_process_group()


@pytest.mark.parametrize("part_size", [3, 7, 100])
def test_the_parts_of_a_batch_add_up_to_its_gradient(world: Processes, part_size: int) -> None:
    torch.manual_seed(0)
    plain = Graded()
    x, labels = torch.randn(7, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    replica = Replica(deepcopy(plain), Shard(rank=0, size=1, part_size=part_size), world)
    found = replica.gradient(
        lambda batch: classification_loss(replica.model(batch[0]), batch[1]), (x, labels), 7
    )
    expected = classification_loss(plain(x), labels)
    expected.backward()
    assert_close(found, expected.detach())
    for own, other in zip(replica.model.parameters(), plain.parameters(), strict=True):
        assert_close(own.grad, other.grad)


def test_no_images_have_no_loss_and_no_gradient() -> None:
    model = Graded()
    loss = no_loss(model(torch.empty(0, 1, 2, 2)))
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
