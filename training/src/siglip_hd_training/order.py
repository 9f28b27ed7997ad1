"""Which image comes when: a function of the seed alone, so that a run can resume anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_HELD_OUT = 2**32 - 1


class Order:
    """The endless sequence of training images.

    Each slot of the sequence is one image. An epoch is as many slots as there are training images, each of which it has
    once, in an order of its own.

    Args:
        count: The number of images, with those held out.
        held_out: The number of images that are never trained on.
        seed: The seed.
    """

    def __init__(self, count: int, held_out: int, seed: int) -> None:
        shuffled = np.random.default_rng((seed, _HELD_OUT)).permutation(count)
        self.held_out: list[int] = np.sort(shuffled[:held_out]).tolist()
        self._training = np.sort(shuffled[held_out:])
        self._seed = seed

    def __len__(self) -> int:
        """The number of training images."""
        return len(self._training)

    def image(self, slot: int, offset: int = 0) -> int:
        """The image of a slot. ``offset`` gives its substitutes, the images after it in the same epoch."""
        epoch, position = divmod(slot, len(self))
        return int(self._training[_permutation(self._seed, epoch, len(self))[(position + offset) % len(self)]])


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass(frozen=True)
class MicroBatches:
    """The slots of one process's micro-batches, from one step to another.

    The processes share each global batch, so the images of a step do not depend on their number.
    """

    start_step: int
    stop_step: int
    batch: int
    micro_batch: int
    rank: int
    world: int

    @property
    def per_step(self) -> int:
        """Micro-batches of one process in a step."""
        return self.batch // (self.micro_batch * self.world)

    def __len__(self) -> int:
        return (self.stop_step - self.start_step) * self.per_step

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start_step, self.stop_step):
            for part in range(self.per_step):
                first = step * self.batch + (part * self.world + self.rank) * self.micro_batch
                yield list(range(first, first + self.micro_batch))
