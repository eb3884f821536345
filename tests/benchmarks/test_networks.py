import pytest
import torch
from torch import nn

from benchmarks.networks import NETWORKS, Residual, lenet, xavier
from convlens.experiment.recipe import load_recipe
from convlens.models.catalog import build, num_parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_a_plain_network_has_the_parameters_of_ours_in_their_order(name: str) -> None:
    recipe = load_recipe(name)
    with torch.device("meta"):
        plain = NETWORKS[name]()
        ours = build(recipe.model_name, recipe.model)
    assert [p.shape for p in plain.parameters()] == [p.shape for p in ours.parameters()]
    size = recipe.data.image_size
    assert plain(torch.empty(2, 1, size, size, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("name", ["lenet", "lenet-modern", "vgg11-slim"])
def test_a_plain_chain_has_our_layers_in_order(name: str) -> None:
    recipe = load_recipe(name)
    with torch.device("meta"):
        plain = NETWORKS[name]()
        ours = build(recipe.model_name, recipe.model)
    layers = [layer for layer in ours.modules() if not list(layer.children())]
    for theirs, layer in zip(plain, layers, strict=True):
        assert isinstance(layer, type(theirs))  # ours are torch's with a choice of algorithm


@pytest.mark.parametrize("name", ["lenet", "lenet-modern", "resnet18-d2l"])
def test_a_plain_network_has_the_gradients_of_ours(name: str) -> None:
    torch.manual_seed(0)
    recipe = load_recipe(name)
    plain, ours = NETWORKS[name]().double(), build(recipe.model_name, recipe.model).double()
    with torch.no_grad():
        for theirs, weight in zip(plain.parameters(), ours.parameters(), strict=True):
            theirs.copy_(weight)
    x, y = torch.rand(4, 1, 28, 28, dtype=torch.float64), torch.arange(4)
    for network in (plain, ours):
        nn.functional.cross_entropy(network(x), y).backward()
    for theirs, weight in zip(plain.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(theirs.grad, weight.grad)


def test_only_a_block_that_changes_the_shape_has_weights_in_its_shortcut() -> None:
    assert isinstance(Residual(8, 8, 1).conv3, nn.Identity)
    assert num_parameters(Residual(8, 16, 2).conv3) == 8 * 16 + 16


def test_xavier_reaches_each_weight_of_lenet() -> None:
    before = lenet()
    after = {name: p.detach().clone() for name, p in before.named_parameters()}
    before.apply(xavier)
    changed = {n for n, p in before.named_parameters() if not torch.equal(p, after[n])}
    assert changed == {n for n in after if n.endswith("weight")}
