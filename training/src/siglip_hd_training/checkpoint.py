"""Checkpoints of a run: one file each, which appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from .errors import TrainingError

State = dict[str, Any]  # what torch.save takes

BEST = "best.pt"


class Checkpoints:
    """The checkpoints in a run's folder: ``step-0001000.pt``, and ``best.pt``, a link to the best.

    Args:
        folder: Where they lie.
        keep: How many to keep, beside the best.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def save(self, step: int, state: State, *, is_best: bool) -> Path:
        """Writes a checkpoint, then removes the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.of(step)
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if is_best:
            link = self.folder / "best.tmp"
            link.unlink(missing_ok=True)
            try:
                os.link(path, link)
            except OSError:  # a file system without hard links
                shutil.copyfile(path, link)
            os.replace(link, self.folder / BEST)
        for old in self._paths()[: -self._keep]:
            old.unlink()
        return path

    def of(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:07}.pt"

    def latest(self) -> Path | None:
        """The checkpoint of the highest step."""
        return max(self._paths(), default=None)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))


def read_checkpoint(path: Path) -> State:
    """Reads a checkpoint into the CPU's memory."""
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not a checkpoint
        raise TrainingError(f"{path} is damaged, or is no checkpoint of this trainer. Use another one.") from error
    return state
