"""Counts of the large networks."""

from itertools import pairwise

from convlens.course.studies.vgg import layers, parameters, sizes
from convlens.course.study import Setup


def linear(*features: int) -> int:
    return sum((a + 1) * b for a, b in pairwise(features))


def wrong(finding: object) -> list[str]:
    claims = getattr(finding, "claims")  # noqa: B009 - of either experiment
    return [claim.text for claim in claims if not claim.as_expected]


def test_the_books_networks_have_the_parameters_of_paper_and_pencil() -> None:
    vgg, alexnet = sizes("vgg11-d2l"), sizes("alexnet-d2l")
    widths = (1, 64, 128, 256, 256, 512, 512, 512, 512)
    convolutions = sum((9 * a + 1) * b for a, b in pairwise(widths))
    assert vgg.conv_parameters == convolutions
    assert vgg.linear_parameters == linear(25088, 4096, 4096, 10)
    assert vgg.num_parameters == convolutions + vgg.linear_parameters == 128_806_154
    assert alexnet.num_parameters == 46_764_746
    assert alexnet.linear_parameters == linear(6400, 4096, 4096, 10)


def test_published_counts_come_out() -> None:
    numbers = parameters(Setup()).numbers
    assert numbers["alexnet for ImageNet: parameters"] == 61_100_840
    assert numbers["vgg16 for ImageNet: parameters"] == 138_357_544
    assert numbers["vgg11-slim: parameters"] == 43_093_322
    assert numbers["resnet18-d2l: parameters"] == 11_178_378


def test_a_network_with_more_of_everything_refutes_nothing() -> None:
    found = wrong(parameters(Setup(), other="vgg11-d2l"))
    assert found == ["that is so because more parameters are more computation", "and more memory"]


def test_a_network_compared_to_itself_is_found_out() -> None:
    assert "VGG has far more parameters" in wrong(parameters(Setup(), large="alexnet-d2l"))


def test_eleven_layers_in_eight_parts() -> None:
    numbers = layers(Setup()).numbers
    counts = [value for name, value in numbers.items() if name.startswith("layers in ")]
    assert counts == [1, 1, 2, 2, 2, 1, 1, 1]


def test_another_network_is_found_out() -> None:
    assert not layers(Setup(), name="alexnet-d2l").holds
    assert not layers(Setup(), name="nin").holds
