"""The losses of the paper's Table 8: means over all patches, and over channels for L1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# AM-RADIO's weights. The paper names the sum and not its weights.
COSINE_WEIGHT = 0.9
SMOOTH_L1_WEIGHT = 0.1


def l1(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference."""
    return functional.l1_loss(student, teacher)


def cosine(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """One minus the mean cosine of tokens."""
    return 1 - functional.cosine_similarity(student, teacher, dim=-1).mean()


def cosine_smooth_l1(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """AM-RADIO's sum of cosine and smooth L1."""
    return COSINE_WEIGHT * cosine(student, teacher) + SMOOTH_L1_WEIGHT * functional.smooth_l1_loss(student, teacher)


LOSSES: dict[str, Loss] = {"l1": l1, "cosine": cosine, "cosine+smooth_l1": cosine_smooth_l1}
