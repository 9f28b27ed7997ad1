"""How the student lies in the memory of several processes: whole in each (DDP), or a shard in each (FSDP2)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from .processes import Processes
from .tower import Tower

if TYPE_CHECKING:
    from collections.abc import Iterator

Weights = Mapping[str, torch.Tensor]

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


class Distribution:
    """The student as the processes train it. Its checkpoints are whole, so a run may resume in another distribution.

    Args:
        student: The student, whose parameters become shards if ``shard`` says so.
        processes: The processes that train it.
        shard: Whether each process keeps a part of the weights, gradients and moments.
    """

    def __init__(self, student: Tower, processes: Processes, *, shard: bool) -> None:
        self.student = student
        self._is_alone = processes.world == 1
        self.is_sharded = shard and not self._is_alone
        if self.is_sharded:
            mesh = init_device_mesh(processes.device.type, (processes.world,))
            for layer in student.model.encoder.layers:
                fully_shard(layer, mesh=mesh)
            fully_shard(student, mesh=mesh)
        self.model: torch.nn.Module = student
        if not (self._is_alone or self.is_sharded):
            self.model = DistributedDataParallel(student, device_ids=processes.device_ids, broadcast_buffers=False)

    def accumulate(self, *, is_last: bool) -> AbstractContextManager[None]:
        """Around a micro-batch: gradients are exchanged after the last of a step alone."""
        if isinstance(self.model, DistributedDataParallel) and not is_last:
            return self.model.no_sync()
        if isinstance(self.model, FSDPModule):
            self.model.set_requires_gradient_sync(is_last)
        return nullcontext()

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The optimizer's state by the parameters' names, whole on the first process. All processes must call this."""
        return get_optimizer_state_dict(self.student, optimizer, options=_WHOLE)

    def load(self, weights: dict[str, Any], optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Takes whole weights and a whole state, which every process has read."""
        set_model_state_dict(self.student, weights, options=StateDictOptions(full_state_dict=True))
        set_optimizer_state_dict(self.student, optimizer, state, options=StateDictOptions(full_state_dict=True))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor gathered from its shards. All processes must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_weights(weights: Weights) -> dict[str, torch.Tensor]:
    """Weights gathered from their shards, one by one into the CPU's memory. All processes must call this."""
    return {name: whole(tensor).cpu() if isinstance(tensor, DTensor) else tensor for name, tensor in weights.items()}


def copy_whole(target: torch.Tensor, source: torch.Tensor) -> None:
    """Writes a whole tensor, which every process has, into one that may be a shard."""
    if isinstance(target, DTensor):
        target.copy_(distribute_tensor(source.to(target.device), target.device_mesh, target.placements))
    else:
        target.copy_(source)


@contextmanager
def loaded(tower: Tower, weights: Weights, device: torch.device) -> Iterator[Tower]:
    """A tower with these weights, on the device for as long as it is needed. All processes must enter this."""
    tower.load_state_dict(whole_weights(weights))
    try:
        yield tower.to(device)
    finally:
        tower.to("cpu")
