"""What a run shows of its student on held-out images: the distance to the teacher, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from .losses import cosine, l1
from .pictures import save_picture
from .processes import Processes
from .samples import Batch, Sample
from .token_source import TokenSource

Encode = Callable[[Batch], torch.Tensor]


@dataclass(frozen=True)
class Distance:
    """Mean L1 distance and cosine of tokens."""

    l1: float
    cosine: float

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


class HeldOut:
    """The held-out images of a process.

    Args:
        samples: The images.
        source: The teacher's tokens.
        batch_size: Images to encode at a time.
        pictures: How many images are drawn.
        base: Encodes with the base. Its tokens of the images that are drawn are kept.
    """

    def __init__(
        self, samples: Sequence[Sample], source: TokenSource, batch_size: int, pictures: int, base: Encode
    ) -> None:
        self._batches = [Batch.of(samples[start : start + batch_size]) for start in range(0, len(samples), batch_size)]
        self._source = source
        self._pictured = Batch.of(samples[:pictures]) if samples[:pictures] else None
        if self._pictured is not None:
            with torch.no_grad():
                self._base_tokens = base(self._pictured)

    def distance(self, student: Encode, processes: Processes) -> Distance | None:
        """Measures the distance over the images of all processes; None if there are none."""
        sums = [0.0, 0.0, 0.0]
        for batch in self._batches:
            with torch.no_grad():
                made = student(batch)
                target = self._source.tokens(batch).to(made.device)
            sums[0] += l1(made, target).item() * len(batch)
            sums[1] += (1 - cosine(made, target).item()) * len(batch)
            sums[2] += len(batch)
        distance, similarity, count = processes.sum(sums)
        return Distance(distance / count, similarity / count) if count else None

    def draw(self, path: Path, student: Encode, side: int) -> None:
        """Draws the images at this side, and the tokens of base, teacher and student."""
        if self._pictured is not None:
            with torch.no_grad():
                columns = [self._base_tokens, self._source.tokens(self._pictured), student(self._pictured)]
            save_picture(path, self._pictured.views[side], columns, reference=1)
