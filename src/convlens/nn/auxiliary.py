"""Auxiliary logits: a deep network is also graded half-way, while it trains.

Classifiers on layers in the middle bring the labels' gradient closer to the first layers. An
evaluation leaves them out.

Source: Szegedy et al. (2014), https://arxiv.org/abs/1409.4842, section 5.
"""

from typing import NamedTuple

import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.core.shapes import Labels, Logits, SoftLabels

AUXILIARY_WEIGHT = 0.3  # of each auxiliary classifier's loss beside the main one's


class AuxiliaryLogits(NamedTuple):
    """What a network with auxiliary classifiers gives in training mode."""

    main: Logits
    auxiliary: tuple[Logits, ...]  # from the first layers to the last


def classification_loss(
    output: Tensor | AuxiliaryLogits, labels: Labels | SoftLabels, *, label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """`cross_entropy(main) + 0.3 * sum of cross_entropy(auxiliary)`, means over the batch.

    Plain logits have the plain cross-entropy. `label_smoothing` is the share of each label that
    is spread over all classes alike.

    >>> import torch
    >>> right, unsure = torch.tensor([[9.0, -9.0]]), torch.tensor([[0.0, 0.0]])
    >>> classification_loss(AuxiliaryLogits(right, (unsure, right)), torch.tensor([0]))
    tensor(0.2079)
    """
    if isinstance(output, Tensor):
        return F.cross_entropy(output, labels, label_smoothing=label_smoothing)
    loss = F.cross_entropy(output.main, labels, label_smoothing=label_smoothing)
    for logits in output.auxiliary:
        auxiliary = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        loss = loss + AUXILIARY_WEIGHT * auxiliary
    return loss
