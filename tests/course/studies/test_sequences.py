"""Sound and text."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.seed import reproducible
from convlens.course.studies.sequences import (
    LENGTH,
    Layer,
    audio,
    detector,
    sees,
    shift_error,
    spectrum,
    text,
)
from convlens.course.study import Setup


def false_claims(finding: object) -> set[str]:
    claims = getattr(finding, "claims")  # noqa: B009 - one line for both experiments
    return {claim.text for claim in claims if not claim.as_expected}


def test_a_dense_layer_in_place_of_the_convolution_is_found_out() -> None:
    with reproducible(0):
        finding = audio(Setup(), layer=lambda _: nn.Linear(LENGTH, LENGTH))
    assert {"it means the same wherever in time it comes"} <= false_claims(finding)
    assert finding.verdict == "wrong"


def test_a_kernel_that_is_not_the_event_does_not_find_it() -> None:
    with reproducible(0):
        finding = audio(Setup(), layer=lambda event: detector(-event))
    assert false_claims(finding) == {"an event is found by a window as short as it"}


def test_the_detector_is_a_correlation_on_a_ring() -> None:
    x, event = torch.randn(1, 1, 10), torch.randn(3)
    wanted = [sum(float(event[j] * x[0, 0, (t + j) % 10]) for j in range(3)) for t in range(10)]
    assert torch.allclose(detector(event)(x)[0, 0], torch.tensor(wanted), atol=1e-5)


def test_the_error_of_a_shift_is_that_of_the_definition() -> None:
    x, weight = torch.rand(1, 6), torch.rand(6)
    error = shift_error(lambda y: y * weight, x, 2)
    assert error == float((x.roll(2, -1) * weight - (x * weight).roll(2, -1)).abs().max()) > 0


def test_one_tone_alone_is_its_octave_shifted() -> None:
    low, high = spectrum(4, partials=1), spectrum(8, partials=1)
    assert torch.allclose(low.roll(4), high, atol=1e-3)


def dense(dilations: Sequence[int]) -> Layer:
    """Layers that see the whole text, whatever their dilations."""

    def layer(x: Float[Tensor, "n 1 w"]) -> Float[Tensor, "n 1 w"]:
        weights = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
        for _ in dilations:
            x = (x * weights).sum(-1, keepdim=True).expand_as(x)
        return x

    return layer


def blind(dilations: Sequence[int]) -> Layer:
    """Layers that see one token."""

    def layer(x: Float[Tensor, "n 1 w"]) -> Float[Tensor, "n 1 w"]:
        return x * len(dilations)

    return layer


def test_a_stack_that_sees_everything_is_found_out() -> None:
    wrong = false_claims(text(Setup(), layers=dense))
    assert "a sentence far away has an influence that it misses" in wrong
    assert "so has the order of words, if it is far away" in wrong


def test_layers_that_look_at_one_token_each_are_found_out() -> None:
    wrong = false_claims(text(Setup(), layers=blind))
    assert "a convolution along the text reads neighbouring tokens" in wrong
    assert "with its logarithm if the dilation doubles" in wrong


def test_a_token_that_is_near_enough_is_seen() -> None:
    assert not text(Setup(), distance=8).holds
    assert text(Setup(), distance=9).holds


def test_what_a_stack_sees_is_one_more_than_its_steps() -> None:
    seen = [sees([1] * layers) for layers in range(6)]
    assert seen[0] == 1
    assert all(more - fewer == 2 for fewer, more in pairwise(seen))
