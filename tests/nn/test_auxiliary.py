"""The loss of auxiliary logits is the paper's sum, and that of plain logits is untouched."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given
from hypothesis import strategies as st

from convlens.nn.auxiliary import AuxiliaryLogits, classification_loss
from tests.strategies import normal, seeds

LABELS = torch.tensor([0, 3, 2, 3])


@given(seeds)
def test_plain_logits_have_the_very_cross_entropy_and_its_gradient(seed: int) -> None:
    ours, torchs = (normal(4, 5, seed=seed, dtype=torch.float32).requires_grad_() for _ in range(2))
    found, expected = classification_loss(ours, LABELS), F.cross_entropy(torchs, LABELS)
    found.backward()
    expected.backward()
    assert torch.equal(found, expected)
    assert ours.grad is not None and torchs.grad is not None
    assert torch.equal(ours.grad, torchs.grad)


@given(seeds, st.integers(0, 3))
def test_each_auxiliary_classifier_counts_three_tenths(seed: int, count: int) -> None:
    main, *auxiliary = (normal(4, 5, seed=seed + index) for index in range(count + 1))
    found = classification_loss(AuxiliaryLogits(main, tuple(auxiliary)), LABELS)
    losses = [-logits.log_softmax(1)[range(4), LABELS].mean() for logits in auxiliary]
    expected = -main.log_softmax(1)[range(4), LABELS].mean() + 0.3 * sum(losses)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("soft", [False, True])
def test_smoothing_is_torchs_and_reaches_auxiliary_logits(soft: bool) -> None:
    main, other = normal(4, 3), normal(4, 3, seed=1)
    labels = torch.tensor([0, 2, 1, 1])
    target = normal(4, 3, seed=2).softmax(1) if soft else labels
    plain = F.cross_entropy(main, target, label_smoothing=0.1)
    auxiliary = F.cross_entropy(other, target, label_smoothing=0.1)
    assert torch.equal(classification_loss(main, target, label_smoothing=0.1), plain)
    found = classification_loss(AuxiliaryLogits(main, (other,)), target, label_smoothing=0.1)
    torch.testing.assert_close(found, plain + 0.3 * auxiliary)


def test_smoothing_spreads_a_share_of_the_label_over_all_classes() -> None:
    logits, labels = normal(4, 3), torch.tensor([0, 2, 1, 1])
    soft = 0.9 * F.one_hot(labels, 3).double() + 0.1 / 3
    expected = -(soft * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(classification_loss(logits, labels, label_smoothing=0.1), expected)
