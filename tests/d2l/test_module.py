"""Models by the book: hyperparameters, steps, starts and summaries."""

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens import d2l
from convlens.core.errors import ConfigError


class Settings(d2l.HyperParameters):
    def __init__(self, a: int, b: int = 2, _hidden: int = 3, skipped: int = 4) -> None:
        local = a + b
        self.save_hyperparameters(ignore=["skipped"])
        del local


def test_hyperparameters_are_the_callers_locals_but_for_self_the_ignored_and_the_hidden() -> None:
    settings: Any = Settings(1)
    assert settings.hparams == {"a": 1, "b": 2, "local": 3}
    assert (settings.a, settings.b, settings.local) == (1, 2, 3)
    assert not hasattr(settings, "skipped") and not hasattr(settings, "_hidden")


def test_the_last_of_a_chain_of_constructors_says_what_the_hyperparameters_are() -> None:
    model = d2l.SoftmaxRegression(num_outputs=10, lr=0.5)
    assert model.hparams == {"num_outputs": 10, "lr": 0.5}
    assert model.plot_train_per_epoch == 2


def test_a_method_added_to_a_class_reaches_its_present_objects_and_is_given_back() -> None:
    class Cat:
        name: str

    cat = Cat()

    @d2l.add_to_class(Cat)
    def says(self: Cat) -> str:
        return "miaow"

    assert cat.says() == "miaow"  # pyright: ignore[reportAttributeAccessIssue]
    assert says(cat) == "miaow"


def test_a_constructor_can_be_added_with_the_long_form_of_super() -> None:
    class Net(d2l.Classifier):
        pass

    @d2l.add_to_class(Net)
    def __init__(self: Net, lr: float = 0.3) -> None:  # pyright: ignore[reportUnusedFunction] # noqa: N807
        super(Net, self).__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.LazyLinear(2))

    model = Net()
    assert model.lr == 0.3
    assert model(torch.ones(4, 3)).shape == (4, 2)
    assert model.configure_optimizers().param_groups[0]["lr"] == 0.3


def test_a_module_without_a_net_or_out_of_a_training_says_so() -> None:
    model = d2l.Classifier()
    with pytest.raises(ConfigError, match="neither a net nor a forward"):
        model(torch.ones(1, 2))
    with pytest.raises(ConfigError, match="in no training"):
        model.plot("loss", 1.0, train=True)
    with pytest.raises(NotImplementedError):
        d2l.Module().loss(torch.ones(1), torch.ones(1))


def test_accuracy_and_loss_are_averaged_or_given_for_each() -> None:
    model = d2l.Classifier()
    y_hat = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    y = torch.tensor([0, 1, 1])
    assert model.accuracy(y_hat, y).item() == pytest.approx(2 / 3)
    assert model.accuracy(y_hat, y, averaged=False).tolist() == [1, 1, 0]
    each = model.loss(y_hat, y, averaged=False)
    torch.testing.assert_close(each, F.cross_entropy(y_hat, y, reduction="none"))
    torch.testing.assert_close(model.loss(y_hat, y), each.mean())


def normed() -> d2l.Classifier:
    model = d2l.Classifier()
    model.net = nn.Sequential(
        nn.LazyConv2d(40, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(100)
    )
    return model


def test_apply_init_makes_layers_real_starts_them_and_moves_no_statistics() -> None:
    model = normed()
    model.apply_init([torch.randn(8, 30, 5, 5)], d2l.init_cnn)
    conv, norm = model.net[0], model.net[1]
    bound = (6 / ((30 + 40) * 9)) ** 0.5
    assert 0.98 * bound < conv.weight.abs().max().item() <= bound * (1 + 1e-5)
    assert int(norm.num_batches_tracked) == 0
    assert torch.equal(norm.running_mean, torch.zeros(40))
    assert model.training


def test_apply_init_without_a_function_only_makes_layers_real() -> None:
    model = normed()
    model.apply_init([torch.randn(2, 3, 5, 5)])
    assert [type(layer) for layer in model.net] == [
        nn.Conv2d, nn.BatchNorm2d, nn.Flatten, nn.Linear,
    ]  # fmt: skip


def exact(module: nn.Module) -> None:
    """What a reader writes: by the type of a layer, which a lazy one does not have yet."""
    if type(module) in (nn.Linear, nn.Conv2d):
        nn.init.constant_(module.weight, 0.5)  # pyright: ignore[reportArgumentType]


def test_a_readers_own_function_applied_to_the_module_reaches_lazy_layers() -> None:
    model: Any = normed()
    assert model.apply(exact) is model
    model = pickled(model)  # what waits can be written and read
    model(torch.randn(2, 3, 5, 5))
    assert model.net[0].weight.unique().tolist() == [0.5]
    assert model.net[3].weight.unique().tolist() == [0.5]


def pickled(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


class Started(d2l.Classifier):
    """A reader's network, whose constructor applies a function of the reader's to a lazy `net`."""

    def __init__(self, init: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyConv2d(40, 3))
        self.net.add_module("last", nn.Sequential(nn.Flatten(), nn.LazyLinear(100)))
        self.net.apply(init)


@pytest.mark.parametrize("remade", [lambda m: m, copy.deepcopy, pickled])  # pyright: ignore
def test_a_readers_own_function_applied_to_the_net_reaches_lazy_layers(remade: Any) -> None:
    model: Any = remade(Started(exact))
    model(torch.randn(2, 3, 5, 5))
    assert model.net[0].weight.unique().tolist() == [0.5]
    assert model.net.last[1].weight.unique().tolist() == [0.5]
    assert type(model.net) is nn.Sequential  # its name in a summary, and what readers compare with


def test_apply_of_a_real_net_is_torchs_and_so_is_that_of_a_part_set_later() -> None:
    model: Any = Started(exact)
    model(torch.randn(2, 3, 5, 5))
    seen: list[type[nn.Module]] = []
    assert model.net.apply(lambda part: seen.append(type(part))) is model.net
    assert seen == [nn.Conv2d, nn.Flatten, nn.Linear, nn.Sequential, nn.Sequential]
    model.add_module("extra", nn.LazyLinear(3))
    model.add_module("none", None)
    model.extra.apply(exact)
    model.extra(torch.ones(1, 2))
    assert model.extra.weight.unique().tolist() == [0.5]


def test_of_two_functions_for_different_layers_both_count() -> None:
    def linear_only(part: nn.Module) -> None:
        if type(part) is nn.Linear:
            nn.init.zeros_(part.weight)

    model: Any = Started(exact)
    model.net.apply(linear_only)
    model(torch.randn(2, 3, 5, 5))
    assert model.net[0].weight.unique().tolist() == [0.5]
    assert model.net.last[1].weight.unique().tolist() == [0]


def test_a_net_is_freed_when_its_last_name_goes() -> None:
    """VGG-11, made for its summary only, has half a gigabyte."""
    gc.disable()
    try:
        model: Any = Started(exact)
        model.layer_summary((1, 3, 5, 5))
        held = [weakref.ref(model), weakref.ref(model.net), weakref.ref(model.net[0])]
        del model
        assert [part() for part in held] == [None] * 3
    finally:
        gc.enable()


def test_a_summary_changes_neither_chance_nor_statistics_nor_modes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = normed()
    model.net[1].eval()
    model.apply_init([torch.randn(2, 3, 5, 5)])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    chance = torch.get_rng_state()
    model.layer_summary((1, 3, 5, 5))
    assert torch.equal(torch.get_rng_state(), chance)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert model.training and not model.net[1].training
    assert capsys.readouterr().out.splitlines()[2] == "Flatten output shape:\t torch.Size([1, 360])"


def test_a_summary_is_made_on_the_models_device(capsys: pytest.CaptureFixture[str]) -> None:
    with torch.device("meta"):
        model = normed()
    model.layer_summary((2, 3, 5, 5))
    assert capsys.readouterr().out.endswith("Linear output shape:\t torch.Size([2, 100])\n")


def test_apply_init_brings_the_batch_to_the_models_device() -> None:
    with torch.device("meta"):
        model = normed()
    model.apply_init([torch.randn(2, 3, 5, 5)])
    assert model.net[3].weight.is_meta
