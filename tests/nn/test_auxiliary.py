"""The loss of auxiliary logits is the paper's sum, and that of plain logits is untouched."""

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
