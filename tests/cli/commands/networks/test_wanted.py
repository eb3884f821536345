"""What the options ask for is the model's own where they say nothing."""

import pytest

from convlens.cli.commands.networks.wanted import parse_input, wanted
from convlens.core.errors import ConfigError, UnknownName


def test_without_options_the_model_has_its_own_sizes() -> None:
    asked = wanted("resnet18-d2l", None, None, None)
    assert (asked.channels, asked.size, asked.text) == (1, 96, "1x96x96")
    network = asked.build()
    assert asked.images(network, 3).shape == (3, 1, 96, 96)
    assert all(parameter.is_meta for parameter in network.parameters())


def test_options_and_settings_are_joined() -> None:
    asked = wanted("vgg11", "1x64x64", 7, ["hidden=8", "batch_norm=true"])
    network = asked.build()
    assert network(asked.images(network)).shape == (1, 7)
    assert "stem.norm1.weight" in network.state_dict()


def test_a_size_among_the_settings_is_the_size_of_the_images() -> None:
    assert wanted("vgg11", None, None, ["image_size=64"]).size == 64


def test_the_network_can_be_built_for_another_size_and_device() -> None:
    network = wanted("lenet", None, None, None).build(16, device="cpu")
    assert not any(parameter.is_meta for parameter in network.parameters())


def test_the_smallest_size_is_that_of_the_settings() -> None:
    assert wanted("lenet", None, None, None).smallest() == 12
    assert wanted("lenet-bn", None, None, None).smallest() == 16
    assert wanted("nin", None, None, ["stem=small"]).smallest() == 7


@pytest.mark.parametrize("text", ["28", "1x28", "1x28x28x1", "ax1x1", "1x2x3", "0x1x1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--input {text}"):
        parse_input(text)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'lenet'"):
        wanted("lenett", None, None, None)
