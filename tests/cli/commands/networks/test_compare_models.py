"""`convlens compare-models`, as a user meets it."""

from pathlib import Path

from tests.cli.conftest import Convlens

SMALL = ("--rounds", "0")


def test_models_stand_beside_each_other_with_their_counts(convlens: Convlens) -> None:
    result = convlens("compare-models", "lenet", "lenet-bn", *SMALL)
    assert result.code == 0
    lines = {line.strip().rsplit("  ", 1)[0].strip(): line for line in result.out.splitlines()}
    assert any("61,706" in line and "44,878" in line for line in lines.values())
    assert any("416,520" in line and "281,640" in line for line in lines.values())
    assert "forward" not in result.out
    assert "next: convlens summary lenet" in result.err


def test_counts_and_memory_are_in_the_json(convlens: Convlens) -> None:
    result = convlens("compare-models", "resnet18", "vgg11", "--classes", "10", *SMALL, "--json")
    resnet, vgg = result.json["models"]
    assert (resnet["model"], resnet["input"]) == ("resnet18", "3x224x224")
    assert resnet["convolution_parameters"] + resnet["linear_parameters"] < resnet["num_parameters"]
    assert vgg["convolution_parameters"] + vgg["linear_parameters"] == vgg["num_parameters"]
    assert vgg["training_bytes"] > 3 * 4 * vgg["num_parameters"]  # weights, gradients, momentum
    assert resnet["forward"] is resnet["step"] is resnet["accuracy"] is None


def test_times_are_measured_as_often_as_asked(convlens: Convlens) -> None:
    result = convlens("compare-models", "lenet", "lenet-modern", "--rounds", "2", "--json")
    for row in result.json["models"]:
        for timing in (row["forward"], row["step"]):
            assert timing["repeats"] == 2
            assert 0 < timing["least_seconds"] <= timing["median_seconds"]
    assert "ms, step of 8" in convlens("compare-models", "lenet", "--rounds", "1").out


def test_the_accuracy_is_that_of_the_newest_run(convlens: Convlens, trained: Path) -> None:
    arguments = ("compare-models", "lenet", "lenet-modern", *SMALL, "--out", trained.parent)
    lenet, modern = convlens(*arguments, "--json").json["models"]
    assert lenet["accuracy"] is None
    assert 0 <= modern["accuracy"] <= 1
    assert "test accuracy" in convlens(*arguments).out


def test_the_plot_is_written_where_asked(convlens: Convlens, tmp_path: Path) -> None:
    path = tmp_path / "models.png"
    result = convlens("compare-models", "lenet", "resnet18", *SMALL, "--plot", path)
    assert result.code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"plot: {path}" in result.err


def test_a_model_named_twice_is_compared_once(convlens: Convlens) -> None:
    result = convlens("compare-models", "lenet", "lenet", *SMALL, "--json")
    assert len(result.json["models"]) == 1


def test_markdown_is_a_table_of_github(convlens: Convlens) -> None:
    lines = convlens("compare-models", "lenet", *SMALL, "--markdown").out.splitlines()
    assert lines[:3] == ["|  | lenet |", "| --- | --- |", "| input | 1x28x28 |"]


def test_an_unknown_model_and_images_too_small_are_told(convlens: Convlens) -> None:
    result = convlens("compare-models", "lenet", "lenette")
    assert (result.code, result.out) == (2, "")
    assert "did you mean 'lenet'?" in result.err
    result = convlens("compare-models", "lenet", "nin", "--input", "1x28x28", *SMALL)
    assert (result.code, result.out) == (2, "")
