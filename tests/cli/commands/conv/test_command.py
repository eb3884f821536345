"""`convlens conv`, as a user meets it."""

import builtins
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import HealthCheck, given, settings
from PIL import Image

from convlens.ops.correlation import cross_correlation2d
from convlens.ops.kernels import KERNELS
from tests.cli.conftest import Convlens
from tests.strategies import Case, cases, whole

BOOK = """\
cross-correlation: 3x3 by 2x2 gives 2x2

input       kernel   output
+-----+       0  1     [19]    25
| 0  1| 2     2  3       37    43
| 3  4| 5
+-----+
  6  7  8

  0 x 0 = 0    1 x 1 =  1
  3 x 2 = 6    4 x 3 = 12

output[0,0] = 0 + 1 + 6 + 12 = 19

next: convlens conv --walk
"""


def test_without_options_it_is_the_books_example(convlens: Convlens) -> None:
    result = convlens("conv")
    assert (result.code, result.out, result.err) == (0, BOOK, "")


def test_a_walk_in_a_pipe_shows_every_step(convlens: Convlens) -> None:
    out = convlens("conv", "--walk").out
    for step, line in enumerate(
        (
            "output[0,0] = 0 + 1 + 6 + 12 = 19",
            "output[0,1] = 0 + 2 + 8 + 15 = 25",
            "output[1,0] = 0 + 4 + 12 + 21 = 37",
            "output[1,1] = 0 + 5 + 14 + 24 = 43",
        ),
        start=1,
    ):
        assert f"step {step} of 4" in out
        assert line in out
    assert out.endswith("next: convlens conv --walk --backward\n".replace("--walk ", ""))


@pytest.mark.parametrize(
    "arguments",
    [
        "--padding 2 --dilation 2 --kernel sobel-x --true-convolution --walk",
        "--kernel gaussian:3 --padding 1 --padding-mode reflect --bias 100 --walk",
        "--kernel blur:9 --padding 4",
        "--pool avg --padding 1 --walk",
        "--pool avg --ceil-mode --no-count-include-pad --padding 1 --stride 3 --walk",
        "--pool max --ceil-mode --backward --walk",
        "--backward --walk --padding 1 --padding-mode circular",
        '--input "1 2;3 4|-5 6;7 8" --kernel "1e-7 123456.789" --walk',
    ],
)
def test_a_pipe_gets_plain_lines_of_at_most_80_columns(convlens: Convlens, arguments: str) -> None:
    result = convlens("conv", *shlex.split(arguments))
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[-1].startswith("next: convlens conv ")
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines[:-1])
    assert "\x1b" not in result.out
    assert result.out.isascii()


@given(cases(kernel=3, spare=1))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_holds_every_step_of_any_geometry(convlens: Convlens, case: Case) -> None:
    x, kernel = whole(*case.shape[1:], seed=case.seed), whole(*case.kernel_shape, seed=case.seed)
    rows, columns, mode = case.geometry.rows, case.geometry.columns, case.geometry.padding_mode
    found = convlens(
        "conv", "--walk", "--json", "--input", str(x.tolist()), "--kernel", str(kernel.tolist()),
        "--stride", f"{rows.stride},{columns.stride}", "--padding-mode", mode,
        "--padding", f"{rows.padding},{columns.padding}", "--groups", str(case.geometry.groups),
        "--dilation", f"{rows.dilation},{columns.dilation}", "--bias", "3",
    ).json  # fmt: skip
    bias = torch.full((case.out_channels,), 3.0).double()
    expected = cross_correlation2d(x[None], kernel, bias=bias, **case.settings())[0]
    assert [step["sum"] for step in found["steps"]] == expected.flatten().tolist()
    assert found["output"] == expected.tolist()
    for step in found["steps"]:
        assert sum(product["product"] for product in step["products"]) + 3 == step["sum"]


def test_pooling_says_who_won_and_what_the_mean_is_over(convlens: Convlens) -> None:
    found = convlens("conv", "--pool", "max", "--stride", "1", "--at", "1,0").out
    assert "output[1,0] = max(3, 4, 6, 7) = 7, from row 2, column 1" in found
    found = convlens("conv", "--pool", "avg", "--stride", "1").out
    assert "output[0,0] = (0 + 1 + 3 + 4) / 4 = 8 / 4 = 2" in found


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("size", [2, 3])
def test_a_mean_is_torchs_whatever_hangs_over_the_edge(
    convlens: Convlens, size: int, *, ceil_mode: bool, count_include_pad: bool
) -> None:
    x = whole(5, 6, seed=1)
    flags = [*(["--ceil-mode"] if ceil_mode else [])]
    flags += [] if count_include_pad else ["--no-count-include-pad"]
    typed = (
        "conv",
        "--pool",
        "avg",
        "--padding",
        "1",
        "--size",
        str(size),
        "--stride",
        "3",
        *flags,
    )
    found = convlens(*typed, "--input", str(x.tolist()), "--walk", "--json").json
    expected = F.avg_pool2d(
        x[None], size, 3, 1, ceil_mode=ceil_mode, count_include_pad=count_include_pad
    )[0]
    assert found["output"] == [expected.tolist()]
    assert [step["result"] for step in found["steps"]] == expected.flatten().tolist()
    assert found["settings"]["ceil_mode"] is ceil_mode


def test_what_hangs_over_the_edge_is_in_no_mean_and_is_asked_for_again(convlens: Convlens) -> None:
    over = convlens("conv", "--pool", "avg", "--ceil-mode", "--at", "1,1").out
    assert "/ 1 = 8" in over
    flags = ("--pool", "avg", "--padding", "1", "--count-include-pad")
    assert "/ 4 = 0" in convlens("conv", *flags).out
    alone = convlens("conv", *flags[:-1], "--no-count-include-pad").out
    assert "/ 1 = 0" in alone
    assert alone.endswith("conv --padding 1 --pool avg --no-count-include-pad --walk\n")


def test_backward_opens_both_gradients(convlens: Convlens) -> None:
    out = convlens("conv", "--backward", "--at", "1,1", "--entry", "1,1").out
    assert "dL/dx[1,1] = 3 + 2 + 1 + 0 = 6" in out
    assert "dL/dkernel[1,1] = 4 + 5 + 7 + 8 = 24" in out
    found = convlens("conv", "--backward", "--grad", "1 0; 0 -1", "--walk", "--json").json
    sums = [step["sum"] for step in found["steps"]]
    assert sums[:9] == torch.tensor(found["grad_input"]).flatten().tolist()
    assert sums[9:] == torch.tensor(found["grad_kernel"]).flatten().tolist() == [-4, -4, -4, -4]
    pooled = convlens("conv", "--pool", "max", "--stride", "1", "--backward", "--at", "2,2")
    assert "dL/dx[2,2] = 1 = 1" in pooled.out


def test_channels_and_groups(convlens: Convlens) -> None:
    channels = "0 1 2; 3 4 5; 6 7 8 | 1 2 3; 4 5 6; 7 8 9"
    kernel = "0 1; 2 3 | 1 2; 3 4"
    out = convlens("conv", "--input", channels, "--kernel", kernel, "--bias", "1").out
    assert "output[0,0] = 19 + 37 + bias 1 = 57" in out  # d2l 7.4: 56
    found = convlens("conv", "-i", channels, "-k", kernel, "--groups", "2", "--json").json
    assert [row[0][0] for row in found["output"]] == [19, 37]


def test_a_large_picture_is_cropped_and_said_so(convlens: Convlens, tmp_path: Path) -> None:
    Image.new("L", (200, 100), 255).save(tmp_path / "white.png")
    out = convlens("conv", "-i", tmp_path / "white.png", "-k", "blur", "--at", "50,100").out
    assert "(rows 45 to 57 of 0 to 99)" in out
    assert "of 0 to 199)" in out
    assert out.count("+--------------+") == 2
    assert "= 255" in out


def test_the_gallery_is_listed(convlens: Convlens) -> None:
    out, found = convlens("conv", "--kernels").out, convlens("conv", "--kernels", "--json").json
    assert set(found["kernels"]) == set(KERNELS)
    assert all(name in out for name in KERNELS)
    assert found["kernels"]["sobel-x"]["default"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


def test_nan_is_kept_and_json_stays_strict(convlens: Convlens) -> None:
    result = convlens("conv", "--input", "nan 1 2; 3 4 inf; 6 7 8")
    assert "output[0,0] = nan + 1 + 6 + 12 = nan" in result.out
    found = convlens("conv", "--input", "nan 1 2; 3 4 inf; 6 7 8", "--json")
    assert found.json["steps"][0]["sum"] == "NaN"
    assert found.json["input"][0][1][2] == "Infinity"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--kernel sobelx", 2, "no kernel 'sobelx'; did you mean 'sobel-x'?"),
        ("--kernel blur:5", 2, "kernel (1, 1, 5, 5)"),
        ("--kernel missing.csv", 3, "no such file"),
        ("--input missing.png", 3, "no such file"),
        ('--input "0 1; 2"', 2, "--input: rows or channels of different length"),
        ('--input "0 1; 2 x"', 2, "'x' is not a number"),
        ('--kernel "1 2; 3"', 2, "--kernel: rows"),
        ('--input "[1, 2]"', 2, "give (h, w) or (c, h, w)"),
        ('--kernel "[1, 2]"', 2, "give (kh, kw)"),
        ("--groups 2", 2, "do not divide into groups=2"),
        ("--groups 0", 2, "groups=0: must be >= 1"),
        ("--stride 0", 2, "must be >= 1"),
        ("--stride 1,2,3", 2, "needs one whole number, or two"),
        ("--padding x", 2, "--padding 'x': needs a whole number"),
        ("--padding 3 --padding-mode reflect", 2, "needs a larger image"),
        ("--padding-mode refelct", 2, "'reflect'"),
        ('--bias "1 2"', 2, "needs one number per channel out"),
        ("--at 2,2", 2, "the output is 1x2x2: it has no place 0,2,2"),
        ("--at 1", 2, "--at '1': needs row,column"),
        ("--at 0,-1", 2, "it has no place 0,0,-1"),
        ("--backward --entry 2,0", 2, "the kernel is 1x1x2x2"),
        ("--backward --at 3,0", 2, "the input is 1x3x3"),
        ('--backward --grad "1 2"', 2, "--grad has shape (1, 1, 2)"),
        ('--grad "1"', 2, "--grad: goes with --backward"),
        ("--ceil-mode", 2, "--ceil-mode: goes with --pool"),
        ("--no-count-include-pad", 2, "--no-count-include-pad: goes with --pool avg"),
        ("--pool max --no-count-include-pad", 2, "--no-count-include-pad: goes with --pool avg"),
        ("--pool max --groups 2", 2, "--groups: pooling has none"),
        ("--pool avg --dilation 2", 2, "average pooling has none"),
        ("--pool max --padding 2", 2, "pooling pads at most half"),
        ("--pool max --size 4", 2, "spans 4"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_mistakes_are_named(convlens: Convlens, arguments: str, code: int, said: str) -> None:
    result = convlens("conv", *shlex.split(arguments))
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "Traceback" not in result.err


def test_on_a_terminal_each_step_waits_for_enter(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = ["", "q"]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", lambda prompt: answers.pop(0))
    out = convlens("conv", "--walk").out
    assert "step 2 of 4" in out
    assert "step 3 of 4" not in out
    assert "next: " in out

    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(builtins, "input", interrupted)
    assert convlens("conv", "--walk").code == 130


def test_the_next_command_is_the_typed_one_taken_further(convlens: Convlens) -> None:
    out = convlens("conv", "--kernel", "1 -1", "--at", "0,1").out
    assert out.endswith("next: convlens conv --kernel '1 -1' --walk\n")
    out = convlens("conv", "--backward", "--walk").out
    assert out.endswith("next: convlens conv --backward --json\n")
