"""Conv2d is torch's layer in all but its arithmetic, and says early what it cannot do."""

import copy
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.nn.conv import Conv2d
from convlens.ops.catalog import IMPLEMENTATIONS, refusal
from convlens.ops.geometry import PADDING_MODES, PaddingMode
from tests.strategies import Case, cases, normal

CHOSEN = [name for name in IMPLEMENTATIONS if name != "native"]
SETTINGS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": (5, 2), "stride": (2, 1), "padding": (2, 0), "bias": False},
    {"kernel_size": 3, "dilation": 2, "groups": 2, "padding": 1, "padding_mode": "circular"},
    {"kernel_size": 4, "padding": "same", "padding_mode": "reflect"},
]


def twins(implementation: str, **given: Any) -> tuple[Conv2d, nn.Conv2d]:
    """Our layer and torch's, of the same seed, in float64."""
    torch.manual_seed(0)
    ours = Conv2d(4, 6, dtype=torch.float64, implementation=implementation, **given)
    torch.manual_seed(0)
    return ours, nn.Conv2d(4, 6, dtype=torch.float64, **given)


def assert_same(ours: nn.Module, torchs: nn.Module, x: Tensor) -> None:
    """Equal outputs and gradients; all implementations sum in float64, so 1e-11 is ample."""
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = ours(mine), torchs(theirs)
    weights = normal(*expected.shape, seed=7)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    pairs = [(y, expected), (mine.grad, theirs.grad)]
    pairs += [(a.grad, b.grad) for a, b in zip(ours.parameters(), torchs.parameters(), strict=True)]
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("given", SETTINGS)
def test_native_is_torchs_layer_bit_for_bit(given: dict[str, Any]) -> None:
    ours, torchs = twins("native", **given)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    for a, b in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(a, b)
    x = normal(2, 4, 9, 8)
    assert torch.equal(ours(x), torchs(x))
    assert repr(ours) == repr(torchs)


def test_native_runs_torchs_forward_and_none_of_our_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> Tensor:
        raise AssertionError("the correlation with its checks was called")

    monkeypatch.setattr("convlens.nn.conv.cross_correlation2d", fail)
    assert Conv2d(1, 2, 3)(torch.zeros(1, 1, 4, 4)).shape == (1, 2, 2, 2)
    with pytest.raises(AssertionError, match="was called"):
        Conv2d(1, 2, 3, implementation="unfold")(torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("implementation", CHOSEN)
def test_the_initial_weights_of_a_seed_do_not_depend_on_the_implementation(
    implementation: str,
) -> None:
    ours, torchs = twins(implementation, kernel_size=3)
    for (key, a), (other, b) in zip(
        ours.state_dict().items(), torchs.state_dict().items(), strict=True
    ):
        assert key == other
        assert torch.equal(a, b)


@settings(max_examples=40)
@given(cases(kernel=4, padding=2))
def test_every_able_implementation_computes_torchs_layer(case: Case) -> None:
    torch.manual_seed(case.seed)
    given_settings = case.settings(bias=case.has_bias, dtype=torch.float64)
    channels, kernel = (case.shape[1], case.out_channels), case.geometry.kernel_size
    torchs = nn.Conv2d(*channels, kernel, **given_settings)
    x = normal(*case.shape, seed=case.seed)
    for name in CHOSEN:
        if not refusal(name, case.geometry):
            ours = Conv2d(*channels, kernel, **given_settings, implementation=name)
            ours.load_state_dict(torchs.state_dict())
            torchs.zero_grad()
            assert_same(ours, torchs, x)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's, of its own
@pytest.mark.parametrize("implementation", CHOSEN)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_same_and_valid_pad_as_torch_does(implementation: str, mode: PaddingMode) -> None:
    kernels: list[tuple[tuple[int, int], int]] = [((3, 3), 1)]
    if not implementation.startswith("winograd"):
        kernels += [((4, 3), 1), ((2, 5), 1), ((4, 2), 3)]  # an odd number of cells to add
    paddings: tuple[Literal["same", "valid"], ...] = ("same", "valid")
    for kernel_size, dilation in kernels:
        for padding in paddings:
            ours, torchs = twins(
                implementation, kernel_size=kernel_size, padding=padding, dilation=dilation,
                padding_mode=mode,
            )  # fmt: skip
            assert_same(ours, torchs, normal(2, 4, 10, 6))


def test_an_uneven_border_that_the_mode_cannot_make_is_an_error() -> None:
    layer = Conv2d(
        1, 1, 4, padding="same", padding_mode="reflect", implementation="unfold"
    )  # one cell above, two below
    with pytest.raises(ShapeError, match="padding=2 with padding_mode='reflect'"):
        layer(torch.zeros(1, 1, 2, 5))


@pytest.mark.parametrize("implementation", CHOSEN)
def test_one_image_needs_no_batch(implementation: str) -> None:
    assert_same(*twins(implementation, kernel_size=3, padding="same"), normal(4, 6, 6))


@pytest.mark.parametrize("implementation", ["winograd-2x2", "winograd-4x4"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kernel_size": 5}, ["kernel_size=(5, 5)", "this is a 5x5", "unfold"]),
        ({"kernel_size": 3, "stride": 2}, ["stride=(2, 2)", "stride 2x2", "fft"]),
        ({"kernel_size": 3, "dilation": 2}, ["dilation=(2, 2)", "dilation 2x2", "matrix"]),
        ({"kernel_size": 4, "padding": "same"}, ["padding=same", "this is a 4x4", "native"]),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_constructor_with_the_settings(
    implementation: str, given: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        Conv2d(4, 6, implementation=implementation, **given)
    for word in ["Conv2d(4, 6, ", f"implementation={implementation!r}", *words]:
        assert word in str(caught.value)


def test_an_unknown_implementation_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'unfold'"):
        Conv2d(1, 1, 3, implementation="unfould")


@pytest.mark.usefixtures("as_a_user")
def test_settings_that_make_no_sense_are_refused_before_any_data() -> None:
    with pytest.raises(ShapeError, match="stride"):
        Conv2d(1, 1, 3, stride=0, implementation="unfold")
    with pytest.raises(ShapeError, match="needs one whole number, or two"):
        Conv2d(1, 1, (3, 3), padding=(1, 1, 1), implementation="unfold")  # type: ignore[arg-type]


@pytest.mark.usefixtures("as_a_user")
def test_images_that_do_not_fit_are_an_error_with_the_shapes() -> None:
    layer = Conv2d(4, 6, 3, implementation="unfold")
    with pytest.raises(ShapeError, match="3 channels in"):
        layer(torch.zeros(2, 3, 5, 5))
    for rank in (2, 5):
        with pytest.raises(ShapeError, match=f"{rank} axes where 4 are needed"):
            layer(torch.zeros((4,) * rank))
    with pytest.raises(ShapeError, match="axes where 4 are needed"):
        Conv2d(4, 6, 2, padding="same", implementation="unfold")(torch.zeros(4, 4))


def test_the_implementation_is_shown_and_survives_a_copy() -> None:
    layer = Conv2d(1, 2, 3, implementation="fft")
    assert repr(layer).endswith("implementation='fft')")
    assert copy.deepcopy(layer).implementation == "fft"


def test_it_is_a_torch_layer_wherever_one_is_asked_for() -> None:
    assert isinstance(Conv2d(1, 1, 1), nn.Conv2d)
    half = Conv2d(2, 3, 3, implementation="unfold").to(torch.bfloat16)
    assert half(torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
