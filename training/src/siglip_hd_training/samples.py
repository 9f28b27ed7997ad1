"""Reads images, and makes the views that a student and its teacher need."""

from __future__ import annotations

import atexit
import hashlib
import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from .errors import TrainingError
from .image_file import BrokenImageError, decode
from .image_table import ImageTable
from .order import Order
from .preprocessing import Preprocessing

#: So many unreadable images in a row are not chance: a disk is gone, or a list is wrong.
MAX_SUBSTITUTES = 100


@dataclass(frozen=True)
class Sample:
    """An image: uint8 views by side, the file and its SHA-256, and why images before it in the order were skipped."""

    views: dict[int, torch.Tensor]
    file: bytes
    digest: bytes
    name: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Samples, with their views stacked."""

    views: dict[int, torch.Tensor]
    files: list[bytes]
    digests: list[bytes]
    names: list[str]
    skipped: list[str]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Batch:
        """Stacks samples."""
        return cls(
            views={side: torch.stack([sample.views[side] for sample in samples]) for side in samples[0].views},
            files=[sample.file for sample in samples],
            digests=[sample.digest for sample in samples],
            names=[sample.name for sample in samples],
            skipped=[reason for sample in samples for reason in sample.skipped],
        )

    def __len__(self) -> int:
        return len(self.digests)

    def take(self, indices: Sequence[int]) -> Batch:
        """The samples at these places."""
        return Batch(
            views={side: views[list(indices)] for side, views in self.views.items()},
            files=[self.files[index] for index in indices],
            digests=[self.digests[index] for index in indices],
            names=[self.names[index] for index in indices],
            skipped=[],
        )


class Samples(Dataset[Sample]):
    """The samples of an order's slots. An image that cannot be read is replaced by the next in the epoch.

    Args:
        table: The images.
        order: Their order.
        preprocessing: How views are made.
        sides: Sides of the views.
        keeps_files: Whether samples have their files, which only a teacher that is a service needs.
        min_side: Images with a shorter side below this are skipped.
    """

    def __init__(
        self,
        table: ImageTable,
        order: Order,
        preprocessing: Preprocessing,
        sides: Iterable[int],
        *,
        keeps_files: bool = False,
        min_side: int = 1,
    ) -> None:
        self._table = table
        self._order = order
        self._preprocessing = preprocessing
        self._sides = sorted(set(sides))
        self._keeps_files = keeps_files
        self._min_side = min_side

    def __getitem__(self, slot: int) -> Sample:
        """The sample of a slot. Raises TrainingError if no image after it can be read either."""
        skipped: list[str] = []
        for offset in range(min(MAX_SUBSTITUTES, len(self._order))):
            index = self._order.image(slot, offset)
            try:
                return self._read(index, skipped)
            except BrokenImageError as error:
                skipped.append(f"{self._table.name(index)}: {error}")
        raise TrainingError(f"None of {len(skipped)} images in a row can be read. The last is {skipped[-1]}")

    def held_out(self, rank: int, world: int) -> tuple[list[Sample], list[str]]:
        """A process's share of the images that are held out, and why others are not among them."""
        samples, skipped = [], []
        for index in self._order.held_out[rank::world]:
            try:
                samples.append(self._read(index))
            except BrokenImageError as error:
                skipped.append(f"{self._table.name(index)}: {error}")
        return samples, skipped

    def _read(self, index: int, skipped: Sequence[str] = ()) -> Sample:
        try:
            file = self._table.read(index)
        except OSError as error:
            raise BrokenImageError(error.strerror or str(error)) from error
        image = decode(file, self._min_side)
        return Sample(
            views={side: self._preprocessing.view(image, side) for side in self._sides},
            file=file if self._keeps_files else b"",
            digest=hashlib.sha256(file).digest(),
            name=self._table.name(index),
            skipped=tuple(skipped),
        )


def load(samples: Samples, slots: Iterable[list[int]], workers: int) -> Iterator[Batch]:
    """Batches of these slots, in their order, read by worker processes (0: by this one)."""
    loader = DataLoader(
        samples,
        batch_sampler=slots,  # type: ignore[arg-type]  # any iterable of lists
        num_workers=workers,
        collate_fn=Batch.of,
        worker_init_fn=_ignore_signals,
    )
    try:
        yield from loader
    except TrainingError as error:
        # From a worker it comes with the worker's traceback, whose last line has the message.
        raise TrainingError(str(error).rstrip().rpartition("\n")[2].rpartition("TrainingError: ")[2]) from error


def _ignore_signals(_worker: int) -> None:
    """Lets a worker outlive the signal that asks the training process to stop: slurm and a terminal signal them all."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


@atexit.register
def _kill_workers() -> None:
    """Ends workers that an error left behind: Python would end them by SIGTERM, which they ignore, and wait forever."""
    # torch's handler takes the death of a worker for a crash.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for process in multiprocessing.active_children():
        process.kill()
