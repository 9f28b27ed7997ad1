"""The processes that train together: one, or those that torchrun starts."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import distributed

from .errors import TrainingError

#: The first process may write pictures or an export while the others wait.
_TIMEOUT = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Processes:
    """One process among all."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def start(cls) -> Processes:
        """Joins the processes of torchrun, if it started this one. Takes a GPU if there is one."""
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if world > 1:
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
        return cls(rank, world, device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    @property
    def device_ids(self) -> list[int] | None:
        """The GPU for DDP; None on a CPU."""
        return [self.device.index or 0] if self.device.type == "cuda" else None

    def micro_batches(self, batch: int, micro_batch: int) -> int:
        """Micro-batches of each process in a step. Refuses a batch that the processes cannot share."""
        together = micro_batch * self.world
        if batch % together:
            raise TrainingError(
                f"batch is {batch}, which {self.world} process(es) cannot share in micro-batches of {micro_batch}. "
                f"Make it a multiple of {together}, or change --micro-batch."
            )
        return batch // together

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return tensor.tolist()

    def stop(self) -> None:
        """Leaves the others."""
        if self.world > 1:
            distributed.destroy_process_group()
