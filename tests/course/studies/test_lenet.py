"""LeNet on a small data set."""

from pathlib import Path

import pytest
import torch
from torch import nn

from convlens.core.seed import reproducible
from convlens.course.studies.lenet import (
    BOOK,
    CHANGED,
    likeness,
    make,
    modern,
    noise,
    respond,
    strange_images,
)
from convlens.course.studies.training import Effort
from convlens.course.study import Finding, Setup
from convlens.data.image_set import DataSet
from convlens.models.catalog import build, configure

SHORT = Effort(128, epochs=1)


def wrong(finding: Finding) -> list[str]:
    return [claim.text for claim in finding.claims if not claim.as_expected]


@pytest.fixture
def setup(small_folder: Path) -> Setup:
    return Setup(folder=small_folder)


@pytest.fixture
def model() -> nn.Module:
    with reproducible(0):
        return make(CHANGED)


def test_a_short_training_says_that_it_is_short(setup: Setup) -> None:
    finding = modern(setup, effort=SHORT)
    assert "1 epochs on 128 training images" in finding.ran
    assert "short training" in finding.text
    assert set(finding.seconds) == {
        "training, sigmoid and average", "training, ReLU and maximum",
    }  # fmt: skip


def test_a_network_against_itself_gains_nothing(setup: Setup) -> None:
    finding = modern(setup, changed=BOOK, effort=SHORT)
    assert finding.numbers["gain"] == 0
    assert finding.verdict == "wrong"


def test_a_change_that_costs_more_is_found_out(setup: Setup) -> None:
    wrong_ones = wrong(modern(setup, changed="lenet-bn", effort=SHORT))
    assert {"with as many parameters", "and as many MACs"} <= set(wrong_ones)


def test_what_a_network_says_is_counted(model: nn.Module, small: DataSet) -> None:
    x, names = torch.rand(50, 1, 28, 28), small.test.class_names
    found = respond(model, x, names)
    probabilities = model(x).softmax(1).detach()
    votes = probabilities.argmax(1)
    assert found.top_share == max(int((votes == k).sum()) for k in range(10)) / 50
    assert found.confidence == pytest.approx(probabilities.max(1).values.mean().item())
    stem = model.get_submodule("stem")(x).detach()
    assert torch.allclose(found.means["stem"], stem.mean(0).flatten(), atol=1e-6)
    assert [len(mean) for mean in found.means.values()] == [6 * 14 * 14, 16 * 25, 120, 84]


def test_the_likeness_is_the_mean_of_all_pairs() -> None:
    features = torch.randn(5, 7)
    cosine = nn.CosineSimilarity(0)
    pairs = [float(cosine(features[a], features[b])) for a in range(5) for b in range(a)]
    assert likeness(features) == pytest.approx(sum(pairs) / 10, abs=1e-6)
    assert likeness(features[:1]) == 0


def test_a_network_that_knows_nothing_is_not_sure_of_noise(setup: Setup, model: nn.Module) -> None:
    last = model.get_submodule("head.5")
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    finding = noise(setup, model=model)
    assert finding.numbers["uniform noise: mean confidence"] == pytest.approx(0.1)
    assert finding.ran == "nothing was trained here"
    assert "the network is far surer of noise than chance (twice or more)" in wrong(finding)


def test_a_network_that_sees_nothing_finds_no_change(setup: Setup, model: nn.Module) -> None:
    for parameter in model.get_submodule("body").parameters():
        nn.init.ones_(parameter.data) if parameter.ndim == 1 else nn.init.zeros_(parameter.data)
    found = wrong(noise(setup, model=model))
    assert found[0].startswith("deep activations of strange images are far")


def test_noise_is_told_with_what_was_trained(setup: Setup) -> None:
    finding = noise(setup, effort=SHORT)
    assert "1 epochs on 128 training images" in finding.ran
    assert finding.numbers["black: its share"] == 1
    assert "normal noise: mean activation, head.4" in finding.numbers


def test_strange_images_are_those_of_their_seed() -> None:
    with reproducible(0):
        one = strange_images()
    with reproducible(0):
        other = strange_images()
    assert all(torch.equal(one[kind], other[kind]) for kind in one)
    assert abs(float(one["uniform noise"].mean()) - 0.5) < 0.01
    assert abs(float(one["normal noise"].std()) - 1) < 0.01
    assert not one["black"].any()


def test_the_two_networks_are_those_of_the_question() -> None:
    settings = [(c.activation, c.pooling) for c in (configure(n, {}) for n in (BOOK, CHANGED))]  # type: ignore[attr-defined]
    assert settings == [("sigmoid", "avg"), ("relu", "max")]
    assert str(build(CHANGED, configure(CHANGED, {}))) == str(make(CHANGED))
