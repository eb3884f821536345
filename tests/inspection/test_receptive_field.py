import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.inspection.receptive_field import Field, receptive_fields
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig
from convlens.ops.window import Window
from tests.strategies import normal

ROWS = tuple[int | None, int | None, int | None]


def on_meta(build: type[nn.Module], *settings: object) -> nn.Module:
    with torch.device("meta"):
        return build(*settings)


def rows(fields: dict[str, Field]) -> dict[str, ROWS]:
    """Size, jump and start of the rows, by path."""
    return {path: (f.size[0], f.jump[0], f.start[0]) for path, f in fields.items()}


def test_resnet18_sees_what_is_known_of_it() -> None:
    model = on_meta(ResNet, ResNetConfig())
    fields = rows(receptive_fields(model, torch.empty(1, 3, 224, 224, device="meta")))
    assert fields["stem.conv"] == (7, 2, -3)
    assert fields["stem.pool"] == fields["stem"] == (11, 4, -5)
    stages = {stage: fields[f"body.stage{stage}"] for stage in (1, 2, 3, 4)}
    assert stages == {1: (43, 4, -21), 2: (99, 8, -49), 3: (211, 16, -105), 4: (435, 32, -217)}
    assert fields["body.stage2.block1.shortcut"] == (43, 8, -21)
    assert fields["head.pool"] == fields["head"] == fields[""] == (None, None, None)


def test_vgg16_sees_what_is_known_of_it() -> None:
    """Araujo, Norris and Sim (2019) list 212, 32 and 90 for its last pooling."""
    layers: list[nn.Module] = []
    for depth in (2, 2, 3, 3, 3):
        for _ in range(depth):
            layers += [nn.LazyConv2d(8, 3, padding=1), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2))
    net, x = nn.Sequential(*layers), torch.zeros(1, 3, 32, 32)
    net(x)
    fields = rows(receptive_fields(net, x))
    assert fields["30"] == fields[""] == (212, 32, -90)
    assert fields["28"] == (196, 16, -90)


def test_lenet_sees_what_is_known_of_it() -> None:
    model = on_meta(LeNet, LeNetConfig())
    fields = receptive_fields(model, torch.empty(1, 1, 28, 28, device="meta"))
    known = rows(fields)
    assert known["stem"] == (6, 2, -2)
    assert known["body"] == (16, 4, -2)
    assert fields["head"].whole
    assert fields[""].whole
    assert fields["body"].box(4, 0, 28, 28) == (14, 0, 28, 14)


def test_paths_come_in_the_order_of_calls() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), nn.Flatten())
    fields = receptive_fields(net, torch.zeros(1, 1, 6, 6))
    assert list(fields) == ["", "0", "1", "1.0", "1.1", "2"]


class Twice(nn.Module):
    """One convolution, used two times, and a parameter that sees nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.scale = nn.Sequential()

    def forward(self, x: Tensor) -> tuple[Tensor, float]:
        """A tensor among other things."""
        factor = self.scale(self.conv.bias)
        return self.conv(self.conv(x)) * factor, 0.5


def test_of_a_module_that_is_called_twice_it_is_the_first_call() -> None:
    fields = rows(receptive_fields(Twice(), torch.zeros(1, 1, 6, 6)))
    assert fields == {"": (5, 1, -2), "conv": (3, 1, -1)}  # and nothing of what sees nothing


def test_rows_and_columns_are_told_apart() -> None:
    net = nn.Conv2d(1, 1, (3, 5), stride=(1, 2), padding=(0, 2))
    field = receptive_fields(net, torch.zeros(1, 1, 8, 9))[""]
    assert (field.size, field.jump, field.start) == ((3, 5), (1, 2), (0, -2))
    assert not field.whole


def test_what_is_no_batch_of_images_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(28, 28\)"):
        receptive_fields(nn.ReLU(), torch.zeros(28, 28))


@given(
    st.builds(Window, st.integers(1, 9), st.integers(1, 4), st.integers(0, 9)),
    st.integers(0, 9),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_a_box_holds_the_taps_that_are_in_the_image(
    window: Window, index: int, height: int, width: int
) -> None:
    top, left, bottom, right = Field(window, None).box(index, 0, height, width)
    assert list(range(top, bottom)) == [tap for tap in window.taps(index) if 0 <= tap < height]
    assert (left, right) == (0, width)
    assert 0 <= top <= bottom <= height


def test_a_box_over_the_edge_holds_what_padding_repeats() -> None:
    field = Field(Window(3, 1, 2), Window(3, 1, 2), mirrored=(4, 20))
    assert field.box(0, 0, 9, 9) == (0, 0, 4, 9)
    assert field.box(5, 5, 9, 9) == (3, 3, 6, 6)
    assert field.box(9, 9, 9, 9) == (5, 0, 9, 9)


def test_each_image_size_has_the_same_geometry() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.ConvTranspose2d(2, 1, 2, 2))
    small, large = (receptive_fields(net, normal(1, 1, n, n).float()) for n in (8, 31))
    assert small == large
