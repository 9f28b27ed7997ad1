"""What a run reports: metrics.jsonl, a progress bar, TensorBoard and Weights & Biases."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .errors import TrainingError
from .settings import Settings


class RunLog:
    """Writes the figures of a run; a process that is not the first writes nothing.

    Args:
        settings: The run's.
        start_step: Where the run begins or resumes. Lines of later steps, which a crash left behind, are removed.
        is_first: Whether this is the first process.
    """

    def __init__(self, settings: Settings, start_step: int, *, is_first: bool) -> None:
        self._is_first = is_first
        self._steps = settings.steps
        self._metrics = Path(settings.out, "metrics.jsonl")
        self._bar = tqdm(
            total=settings.steps,
            initial=start_step,
            unit="step",
            # None shows the bar on a terminal alone.
            disable=None if is_first else True,
            dynamic_ncols=True,
            mininterval=1,
        )
        self._board = self._wandb = None
        if not is_first:
            return
        _drop_lines(self._metrics, start_step)
        if settings.tensorboard:
            self._board = _open_board(settings, start_step)
        if settings.wandb:
            self._wandb = _open_wandb(settings)

    def step(self, loss: float) -> None:
        """A step is done."""
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._bar.update()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes figures at a step."""
        if not self._is_first:
            return
        with self._metrics.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._bar.disable and "loss" in values:
            print(f"step {step} of {self._steps}: loss {values['loss']:.4f}", flush=True)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        if self._is_first:
            tqdm.write(message)
            sys.stdout.flush()

    def close(self) -> None:
        """Ends the bar and the boards."""
        self._bar.close()
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


def _drop_lines(metrics: Path, after_step: int) -> None:
    if metrics.exists():
        lines = metrics.read_text().splitlines(keepends=True)
        metrics.write_text(
            "".join(line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= after_step)
        )


def _open_board(settings: Settings, start_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("--tensorboard needs TensorBoard: pip install tensorboard") from error
    return SummaryWriter(Path(settings.out, "tensorboard"), purge_step=start_step + 1)


def _open_wandb(settings: Settings) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise TrainingError("--wandb needs Weights & Biases: pip install wandb") from error
    # A run keeps its id when it resumes; another folder of the same name has an id of its own.
    kept = Path(settings.out, "wandb-id.txt")
    if not kept.exists():
        kept.write_text(secrets.token_hex(8))
    return wandb.init(
        project=settings.wandb,
        name=Path(settings.out).name,
        id=kept.read_text(),
        config=settings.as_dict(),
        resume="allow",
    )
