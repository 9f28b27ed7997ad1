"""Where the teacher's tokens come from: this process, a service, or a cache."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch

from .samples import Batch
from .teacher import Teacher
from .token_cache import TokenCache


class TokenSource(Protocol):
    """Gives a batch's target tokens."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the views that it needs."""

    @property
    def needs_files(self) -> bool:
        """Whether it needs the images' files."""

    @property
    def ahead(self) -> int:
        """How many batches to fetch before they are needed."""

    def tokens(self, batch: Batch) -> torch.Tensor:
        """The tokens: float32, [N, tokens, channels]."""

    def identity(self) -> dict[str, object]:
        """All that the tokens depend on, beside the image."""


@dataclass
class LocalTokens:
    """A teacher in this process."""

    teacher: Teacher
    device: torch.device
    autocast: Callable[[], AbstractContextManager[None]]
    precision: str
    needs_files: bool = False
    ahead: int = 0

    @property
    def sides(self) -> tuple[int, ...]:
        """The teacher's scales."""
        return self.teacher.scales

    def tokens(self, batch: Batch) -> torch.Tensor:
        """Runs the teacher."""
        views = {side: batch.views[side].to(self.device, non_blocking=True) for side in self.sides}
        with self.autocast():
            return self.teacher(views)

    def identity(self) -> dict[str, object]:
        """The teacher's weights and settings."""
        weights = hashlib.sha256()
        for name, tensor in sorted(self.teacher.tower.state_dict().items()):
            weights.update(name.encode())
            weights.update(tensor.cpu().contiguous().numpy().tobytes())
        return {
            "weights_sha256": weights.hexdigest(),
            "features": self.teacher.tower.features,
            "preprocessing": self.teacher.preprocessing.as_dict(),
            "scales": self.teacher.scales,
            "scale_weights": self.teacher.weights,
            "side": self.teacher.side,
            "precision": self.precision,
        }


class CachedTokens:
    """Another source's tokens, kept on disk.

    All tokens are rounded to float16, those that are new as well. So a run gives the same weights whether the cache was
    empty or full.
    """

    def __init__(self, source: TokenSource, folder: str, shape: tuple[int, int], rank: int) -> None:
        self._source = source
        self.sides = source.sides
        self.needs_files = source.needs_files
        self.ahead = source.ahead
        self._identity = source.identity()
        key = hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()[:16]
        self._cache = TokenCache(folder, key, shape, rank, self._identity)

    def tokens(self, batch: Batch) -> torch.Tensor:
        """Tokens of the cache, and of the source for images that the cache lacks."""
        found = [self._cache.get(digest) for digest in batch.digests]
        missing = [index for index, tokens in enumerate(found) if tokens is None]
        if missing:
            made = self._source.tokens(batch.take(missing)).to("cpu", torch.float16)
            for index, tokens in zip(missing, made, strict=True):
                self._cache.put(batch.digests[index], tokens)
                found[index] = tokens
        return torch.stack([tokens for tokens in found if tokens is not None]).float()

    def identity(self) -> dict[str, object]:
        """The source's."""
        return self._identity


def with_tokens(batches: Iterable[Batch], source: TokenSource) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Pairs batches with their tokens, which are fetched `source.ahead` batches early."""
    if source.ahead == 0:
        for batch in batches:
            yield batch, source.tokens(batch)
        return
    waiting: deque[tuple[Batch, Future[torch.Tensor]]] = deque()
    with ThreadPoolExecutor(1, "teacher") as executor:
        for batch in batches:
            waiting.append((batch, executor.submit(source.tokens, batch)))
            if len(waiting) > source.ahead:
                first, tokens = waiting.popleft()
                yield first, tokens.result()
        for last, tokens in waiting:
            yield last, tokens.result()
