"""`convlens summary`, as a user meets it."""

import pytest

from convlens.cli.commands.networks import summary as command
from convlens.inspection import trace as trace_module
from convlens.inspection.ledger import Entry
from convlens.models.catalog import MODELS
from tests.cli.conftest import Convlens

FOOTER = ("parameters ", "MACs ", "activations ", "weight layers ")


def test_lenet_is_shown_with_the_arithmetic_and_what_each_layer_sees(convlens: Convlens) -> None:
    result = convlens("summary", "lenet", "--arithmetic", "--fields")
    assert result.code == 0
    assert "5x5x1x6 + 6 = 156" in result.out
    assert "16x16, step 4" in result.out
    assert "61,706 (convolution 2,572, linear 59,134)" in result.out
    assert "416,520; FLOPs 833,040" in result.out
    assert "next: convlens summary lenet --reconcile" in result.err
    assert "\x1b" not in result.out


@pytest.mark.parametrize("model", ["lenet", "resnet50", "vgg19"])
def test_a_row_is_one_line_also_in_the_widest_table(convlens: Convlens, model: str) -> None:
    rows = convlens("summary", model, "--json").json["rows"]
    out = convlens("summary", model, "--arithmetic", "--fields", "--depth", "9").out
    lines = out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("─")) + 1
    shown = [line for line in lines[start:] if not line.startswith(FOOTER)]
    assert len(shown) == len(rows)
    for line, row in zip(shown, rows, strict=True):
        assert line.startswith("  " * row["indent"] + row["names"][0])
        assert f" {row['kind']} " in line
        assert f"{row['arithmetic']} " in line


def test_the_table_of_resnet_50_fits_into_80_columns(convlens: Convlens) -> None:
    lines = convlens("summary", "resnet50").out.splitlines()
    assert max(len(line) for line in lines if not line.startswith(FOOTER)) <= 80
    assert "    block2 ... block6  5x  Bottleneck       1024x14x14" in lines


def test_layers_in_shortcuts_are_told_apart(convlens: Convlens) -> None:
    """Why ResNet-50 has 54 layers with weights and is called 50."""
    told = "54 (53 convolutions, 1 linear; 50 without those in shortcuts) in 6 parts:"
    assert told in convlens("summary", "resnet50", "--depth", "1").out


def test_fields_are_numbers_in_json_and_null_where_all_is_seen(convlens: Convlens) -> None:
    fields = convlens("summary", "lenet", "--fields", "--json").json["fields"]
    assert fields["body.stage1.2"] == {"size": [16, 16], "jump": [4, 4], "start": [-2, -2]}
    assert fields["head.5"]["size"] == [None, None]
    assert convlens("summary", "lenet", "--json").json["fields"] == {}


def test_the_missing_layers_of_vgg_11_are_found(convlens: Convlens) -> None:
    result = convlens("summary", "vgg11-d2l", "--depth", "2")
    assert "weight layers  11 (8 convolutions, 3 linear) in 8 parts:" in result.out


def test_the_input_sets_channels_and_size(convlens: Convlens) -> None:
    result = convlens("summary", "resnet18", "--input", "1x96x96", "--classes", "10", "--json")
    assert result.json["input"] == [1, 96, 96]
    # torchvision's 11,689,512, less two channels of the first kernels and 990 classes.
    fewer = 2 * 64 * 7 * 7 + 990 * (512 + 1)
    assert result.json["num_parameters"] == 11_689_512 - fewer
    assert result.json["rows"][-1]["output"] == [10]
    assert result.json["flops"] == 2 * result.json["macs"]


def test_any_setting_of_the_model_can_be_set(convlens: Convlens) -> None:
    result = convlens("summary", "resnet18", "--input", "1x28x28", "--set", "stem=small", "--json")
    assert result.json["rows"][0]["output"] == [64, 28, 28]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_catalog_has_a_summary(convlens: Convlens, name: str) -> None:
    result = convlens("summary", name, "--json")
    assert result.code == 0
    assert result.json["failure"] is None
    assert result.json["num_parameters"] == sum(result.json["parameters_by_kind"].values())


def test_the_ledger_is_printed_and_balances(convlens: Convlens) -> None:
    result = convlens("summary", "resnet18", "--input", "1x96x96", "--reconcile")
    assert result.code == 0
    assert "638,328,832 / 2 = 319,164,416" in result.out
    for named in ("factor 2", "bias", "norm", "add", "pooling", "pointwise"):
        assert named in result.out
    assert "balanced: every difference has its name" in result.err
    json = convlens("summary", "resnet18", "--input", "1x96x96", "--reconcile", "--json").json
    assert json["balanced"] is True
    assert json["formula_macs"] == json["traced_macs"] == 319_164_416


def test_a_ledger_that_does_not_balance_ends_with_1(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_module, "layer_cost", lambda *_: None)  # no formula at all
    assert convlens("summary", "lenet", "--reconcile").code == 0  # named: no formula
    entry = Entry(name="x", amount=1, unit="MACs", why="a fault", explained=False)
    monkeypatch.setattr(
        "convlens.inspection.ledger._layers_that_differ", lambda *_: [entry], raising=True
    )
    result = convlens("summary", "lenet", "--reconcile")
    assert result.code == 1
    assert "UNEXPLAINED: a fault" in result.out
    assert "NOT balanced" in result.err
    assert command.__doc__


@pytest.mark.parametrize(
    ("model", "size", "layer", "least"),
    [
        ("alexnet-d2l", 28, r"body.stage1.pool (MaxPool2d) cannot take 1x256x2x2", 65),
        ("nin", 66, r"body.stage2.pool (MaxPool2d) cannot take 1x384x2x2", 67),
        ("densenet-d2l", 28, r"body.stage3.transition", 29),
        ("vgg11-d2l", 28, r"body.stage4.pool (MaxPool2d) cannot take 1x512x1x1", 32),
        ("lenet", 8, r"body.stage1.0 (Conv2d) cannot take 1x6x4x4", 12),
    ],
)
def test_images_that_are_too_small_end_at_the_layer_with_the_least_size(
    convlens: Convlens, model: str, size: int, layer: str, least: int
) -> None:
    result = convlens("summary", model, "--input", f"1x{size}x{size}")
    assert result.code == 2
    assert "cannot take" in result.out
    assert layer in result.err
    assert f"the smallest input that works: 1x{least}x{least}" in result.err


def test_markdown_is_a_table_of_github(convlens: Convlens) -> None:
    lines = convlens("summary", "lenet", "--markdown").out.splitlines()
    assert lines[0] == "| layer | kind | output | parameters | MACs |"
    assert lines[1] == "| --- | --- | --- | --- | --- |"
    assert "| &nbsp; 0 | Conv2d | 6x28x28 | 156 | 117,600 |" in lines
    blank = lines.index("")  # where the table ends; what follows without it would be a row
    assert all(line.startswith("| ") for line in lines[:blank])
    assert lines[blank + 2] == "- MACs: 416,520; FLOPs 833,040"
    assert all(line.startswith("- ") for line in lines[blank + 1 :])


def test_the_ledger_can_be_markdown_too(convlens: Convlens) -> None:
    lines = convlens("summary", "lenet", "--reconcile", "--markdown").out.splitlines()
    assert "| MACs | 416,520 | 416,520 | 833,040 / 2 = 416,520 |" in lines
    assert lines.count("") == 1
    assert lines[lines.index("") + 1] == "| difference | amount | unit | why |"


@pytest.mark.parametrize("option", ["--json", "--markdown", "--depth=1"])
def test_a_ledger_of_images_that_are_too_small_says_the_least_size(
    convlens: Convlens, option: str
) -> None:
    result = convlens("summary", "lenet", "--input", "1x8x8", "--reconcile", option)
    assert result.code == 2
    assert result.out == ""
    assert "the smallest input that works: 1x12x12" in result.err


def test_json_has_the_failure_and_the_least_size(convlens: Convlens) -> None:
    result = convlens("summary", "lenet", "--input", "1x8x8", "--json")
    assert result.code == 2
    failure = result.json["failure"]
    assert failure["path"] == "body.stage1.0"
    assert failure["inputs"] == [[1, 6, 4, 4]]
    assert failure["smallest_image_size"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet81",), "no model 'resnet81'; did you mean 'resnet18'?"),
        (("lenet", "--input", "28x28"), "--input 28x28: not a size"),
        (("lenet", "--input", "1x28x32"), "28 rows and 32 columns"),
        (("lenet", "--input", "0x28x28"), "every number must be at least 1"),
        (("lenet", "--json", "--markdown"), "--markdown and --json: choose one"),
        (("lenet", "--set", "poling=max"), "did you mean 'pooling'?"),
        (("resnet18", "--set", "stem=smal"), "did you mean 'small'?"),
    ],
)
def test_mistakes_are_told_with_what_was_meant(
    convlens: Convlens, arguments: tuple[str, ...], message: str
) -> None:
    result = convlens("summary", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""
