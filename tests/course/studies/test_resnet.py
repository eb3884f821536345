"""Inception against the residual block."""

from pathlib import Path

import pytest
import torch
from torch import nn

from convlens.course.studies.resnet import NARROW, blocks, network, parallel, plain, residual
from convlens.course.studies.training import Effort
from convlens.course.study import Finding, Setup

SHORT = Effort(128, epochs=1)


def leave(module: nn.Module) -> None:
    del module


def wrong(finding: Finding) -> set[str]:
    return {claim.text for claim in finding.claims if not claim.as_expected}


@pytest.fixture
def setup(small_folder: Path) -> Setup:
    return Setup(folder=small_folder)


def test_the_counts_are_those_of_paper_and_pencil(setup: Setup) -> None:
    numbers = blocks(setup, effort=SHORT).numbers
    pairs = [(192, 64, 1), (192, 96, 1), (96, 128, 9), (192, 16, 1), (16, 32, 25), (192, 32, 1)]
    assert numbers["parameters, Inception block"] == sum(a * b * k + b for a, b, k in pairs)
    assert numbers["MACs, Inception block"] == 144 * sum(a * b * k for a, b, k in pairs)
    pairs = [(192, 64, 1), (192, 128, 9), (192, 32, 25), (192, 32, 1)]
    wide = numbers["MACs, Inception block without its 1x1 convolutions"]
    assert wide == 144 * sum(a * b * k for a, b, k in pairs)
    pairs = [(192, 256, 9), (256, 256, 9), (192, 256, 1)]
    assert numbers["MACs, residual block"] == 144 * sum(a * b * k for a, b, k in pairs)
    biases_and_norms = sum(b for _, b, _ in pairs) + 4 * 256
    weights = sum(a * b * k for a, b, k in pairs)
    assert numbers["parameters, residual block"] == weights + biases_and_norms


def test_a_residual_block_that_is_not_silenced_is_no_identity(setup: Setup) -> None:
    found = wrong(blocks(setup, silence=leave, effort=SHORT))
    assert {
        "a residual block can be the identity",
        "so a deeper network contains the shallower",
    } <= (found)


def test_a_stack_without_the_addition_gains_nothing_over_itself(setup: Setup) -> None:
    found = wrong(blocks(setup, added=plain, effort=SHORT))
    assert "the addition makes a deep network more accurate (by 0.02 or more)" in found


@pytest.mark.parametrize("block", [residual, plain, parallel])
def test_each_block_keeps_the_shape(block: object) -> None:
    net = network(block)  # type: ignore[arg-type]
    assert net(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    body = net.get_submodule("body")
    assert body(torch.rand(2, NARROW, 7, 7)).shape == (2, NARROW, 7, 7)


def test_the_plain_block_has_the_weights_of_the_residual_one() -> None:
    one, other = (sum(p.numel() for p in block(16).parameters()) for block in (plain, residual))
    assert one == other
