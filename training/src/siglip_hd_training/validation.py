"""The distance of a student to its teacher on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch

from .losses import cosine, l1
from .processes import Processes
from .samples import Batch, Sample
from .token_source import TokenSource


@dataclass(frozen=True)
class Distance:
    """Mean L1 distance and cosine of tokens."""

    l1: float
    cosine: float

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def measure(
    student: Callable[[Batch], torch.Tensor],
    source: TokenSource,
    samples: Sequence[Sample],
    batch_size: int,
    processes: Processes,
) -> Distance | None:
    """Measures the distance over the samples of all processes; None if there are none."""
    sums = [0.0, 0.0, 0.0]
    for start in range(0, len(samples), batch_size):
        batch = Batch.of(samples[start : start + batch_size])
        with torch.no_grad():
            made = student(batch)
            target = source.tokens(batch).to(made.device)
        sums[0] += l1(made, target).item() * len(batch)
        sums[1] += (1 - cosine(made, target).item()) * len(batch)
        sums[2] += len(batch)
    distance, similarity, count = processes.sum(sums)
    return Distance(distance / count, similarity / count) if count else None
