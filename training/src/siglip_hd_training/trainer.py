"""The training loop."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import torch
import transformers

from . import __version__
from .assemble import assemble
from .average import Average
from .checkpoint import Checkpoints, State, read_checkpoint
from .distribution import Distribution, loaded, whole, whole_weights
from .errors import TrainingError
from .export import export
from .held_out import Distance, HeldOut
from .losses import LOSSES
from .optimizer import build_optimizer, learning_rate
from .order import MicroBatches
from .processes import Processes
from .run_log import RunLog
from .samples import Batch, load
from .settings import Settings
from .stop_signal import StopSignal
from .token_source import with_tokens
from .tower import Tower

MODEL_FOLDER = "model"


class Trainer:
    """A run: made from its settings, or resumed from the last checkpoint in its folder."""

    def __init__(self, settings: Settings, processes: Processes) -> None:
        self._processes = processes
        self._out = Path(settings.out)
        self._per_step = processes.micro_batches(settings.batch, settings.micro_batch)
        _repeat_to_the_bit(settings)
        self._out.mkdir(parents=True, exist_ok=True)

        parts = assemble(settings, processes, self._warn)
        self._settings = settings = parts.settings
        self._student, self._source, self._samples = parts.student, parts.source, parts.samples
        self._preprocessing, self._autocast = parts.preprocessing, parts.autocast
        samples, self._skipped_held_out = self._samples.held_out(processes.rank, processes.world)
        # Only the first process draws pictures.
        pictures = settings.pictures if processes.is_first and settings.pictures_every else 0
        base = partial(self._encode, self._student)
        self._held_out = HeldOut(samples, self._source, settings.micro_batch, pictures, base)

        # Parameters that are shards or followed by an average are validated and drawn as another tower.
        is_apart = settings.ema > 0 or (settings.shard and processes.world > 1)
        self._evaluated = copy.deepcopy(self._student).cpu().eval().requires_grad_(False) if is_apart else None
        self._distribution = Distribution(self._student, processes, shard=settings.shard)
        self._optimizer = build_optimizer(self._student, settings)
        self._average = Average(self._student, settings.ema) if settings.ema else None
        self._checkpoints = Checkpoints(self._out / "checkpoints", settings.keep)
        self._step = self._skipped = 0
        self._best = math.inf
        self._first_validation: Distance | None = None
        self._validation: Distance | None = None
        self._resume()
        self._log = RunLog(settings, self._step, is_first=processes.is_first)

    def run(self) -> bool:
        """Trains to the last step; False if a signal stopped it before. Either way a checkpoint has the last step."""
        stop = StopSignal()
        try:
            self._train(stop)
        finally:
            stop.restore()
            self._log.close()
        is_finished = self._step == self._settings.steps
        if self._processes.is_first:
            model = self._out / MODEL_FOLDER
            if is_finished and not model.exists():
                export(read_checkpoint(self._checkpoints.of(self._step)), model)
            stopped = f"Stopped after step {self._step}. The same command resumes the run."
            print(f"The run is finished: its model is in {model}." if is_finished else stopped, flush=True)
        return is_finished

    def _train(self, stop: StopSignal) -> None:
        if self._step == 0:
            self._count_skipped(self._skipped_held_out)
            self._validate()
        slots = MicroBatches(
            self._step,
            self._settings.steps,
            self._settings.batch,
            self._settings.micro_batch,
            self._processes.rank,
            self._processes.world,
        )
        batches = with_tokens(load(self._samples, slots, self._settings.workers), self._source)
        while self._step < self._settings.steps:
            if self._take_step(batches, stop):
                self._save(is_best=False)
                return

    def _take_step(self, batches: Iterator[tuple[Batch, torch.Tensor]], stop: StopSignal) -> bool:
        """Takes a step; says whether any process was told to stop."""
        settings, started = self._settings, time.perf_counter()
        torch.manual_seed(settings.seed + self._step)
        rate = learning_rate(self._step, settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss, skipped, waited_s = self._accumulate(batches)
        trainable = [parameter for parameter in self._student.parameters() if parameter.requires_grad]
        norm = whole(torch.nn.utils.clip_grad_norm_(trainable, settings.clip_norm or math.inf)).item()
        sums = self._processes.sum([loss, float(skipped), float(stop.is_set)])
        loss, self._skipped = sums[0] / self._processes.world, self._skipped + int(sums[1])
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(self._not_finite(loss, norm))
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update(self._student)
        self._step += 1
        self._log.step(loss)
        if self._step % settings.log_every == 0 or self._step == settings.steps:
            took_s = time.perf_counter() - started
            figures = {"loss": loss, "learning_rate": rate, "gradient_norm": norm, "skipped": self._skipped}
            rates = {"images_per_s": settings.batch / took_s, "share_of_data_and_teacher": waited_s / took_s}
            self._log.write(self._step, figures | rates | self._memory())
        self._end_step()
        return sums[2] > 0

    def _accumulate(self, batches: Iterator[tuple[Batch, torch.Tensor]]) -> tuple[float, int, float]:
        """Adds up the gradients of a step: this process's loss, skipped images, and seconds for data and teacher."""
        total, skipped, waited_s = 0.0, 0, 0.0
        for part in range(self._per_step):
            started = time.perf_counter()
            batch, target = next(batches)
            waited_s += time.perf_counter() - started
            self._report_skipped(batch.skipped)
            skipped += len(batch.skipped)
            with self._distribution.accumulate(is_last=part == self._per_step - 1):
                made = self._encode(self._distribution.model, batch)
                loss = LOSSES[self._settings.loss](made, target.to(made.device)) / self._per_step
                loss.backward()
            total += loss.item()
        return total, skipped, waited_s

    def _end_step(self) -> None:
        """Validates, draws and saves when it is time."""
        settings, is_end = self._settings, self._step == self._settings.steps
        is_best = (self._step % settings.validate_every == 0 or is_end) and self._validate()
        if settings.pictures_every and (self._step % settings.pictures_every == 0 or is_end):
            path = self._out / "pictures" / f"step-{self._step:07}.png"
            with self._best_tower() as tower:
                self._held_out.draw(path, partial(self._encode, tower), self._student.image_size)
        if is_best or self._step % settings.save_every == 0 or is_end:
            self._save(is_best=is_best)

    def _validate(self) -> bool:
        """Measures the distance to the teacher; says whether it is the smallest so far."""
        with self._best_tower() as tower:
            found = self._held_out.distance(partial(self._encode, tower), self._processes)
        if found is None:
            return False
        self._validation = found
        if self._step == 0:
            self._first_validation = found
        self._log.write(self._step, {f"held_out_{name}": value for name, value in found.as_dict().items()})
        self._log.say(f"step {self._step}: held-out L1 {found.l1:.4f}, cosine {found.cosine:.4f} to the teacher")
        is_best = found.l1 < self._best and self._step > 0
        self._best = min(self._best, found.l1) if self._step > 0 else self._best
        return is_best

    def _best_tower(self) -> AbstractContextManager[Tower]:
        """What is exported, whole: the average of the weights if there is one. All processes must enter this."""
        if self._evaluated is None:
            return nullcontext(self._student)
        weights = self._average.weights if self._average is not None else self._student.state_dict()
        return loaded(self._evaluated, weights, self._processes.device)

    def _encode(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        views = batch.views[self._student.image_size].to(self._processes.device, non_blocking=True)
        with self._autocast():
            return model(self._preprocessing.normalise(views))

    def _save(self, *, is_best: bool) -> None:
        state = self._state()
        if self._processes.is_first:
            self._checkpoints.save(self._step, state, is_best=is_best)

    def _state(self) -> State:
        """What a checkpoint keeps, whole. All processes must call this."""
        return {
            "step": self._step,
            "student": whole_weights(self._student.state_dict()),
            "ema": whole_weights(self._average.weights) if self._average is not None else None,
            "optimizer": self._distribution.optimizer_state(self._optimizer),
            "skipped": self._skipped,
            "best": self._best,
            "first_validation": self._first_validation and self._first_validation.as_dict(),
            "validation": self._validation and self._validation.as_dict(),
            "settings": self._settings.as_dict(),
            "config": json.dumps(self._student.model.config.to_dict(), default=str),
            "preprocessing": self._preprocessing.as_dict(),
            "versions": {
                "siglip_hd_training": __version__,
                "torch": str(torch.__version__),
                "transformers": transformers.__version__,
            },
        }

    def _resume(self) -> None:
        path = self._checkpoints.latest()
        if path is None:
            if self._processes.is_first:
                (self._out / "settings.json").write_text(json.dumps(self._settings.as_dict(), indent=2) + "\n")
            return
        state = read_checkpoint(path)
        self._settings.require_same_run(state["settings"])
        self._distribution.load(state["student"], self._optimizer, state["optimizer"])
        if self._average is not None:
            self._average.load(state["ema"])
        self._step, self._skipped, self._best = state["step"], state["skipped"], state["best"]
        self._first_validation = state["first_validation"] and Distance(**state["first_validation"])
        self._validation = state["validation"] and Distance(**state["validation"])
        if self._processes.is_first:
            print(f"Resuming after step {self._step}.", flush=True)

    def _warn(self, warning: str) -> None:
        if self._processes.is_first:
            print(f"warning: {warning}", flush=True)

    def _count_skipped(self, reasons: list[str]) -> None:
        self._report_skipped(reasons)
        self._skipped += int(self._processes.sum([len(reasons)])[0])

    def _report_skipped(self, reasons: list[str]) -> None:
        if reasons:
            with (self._out / "skipped.txt").open("a") as file:
                file.writelines(f"{reason}\n" for reason in reasons)

    def _memory(self) -> dict[str, float]:
        if self._processes.device.type != "cuda":
            return {}
        return {"peak_gpu_gib": torch.cuda.max_memory_allocated() / 2**30}

    def _not_finite(self, loss: float, norm: float) -> str:
        last = self._checkpoints.latest()
        resume = f"{last} is the last checkpoint" if last else "There is no checkpoint yet"
        return (
            f"At step {self._step + 1} the loss is {loss} and the norm of its gradient {norm}. {resume}. "
            "Start anew in another --out with a lower --learning-rate, or with --clip-norm 1."
        )


def _repeat_to_the_bit(settings: Settings) -> None:
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # A debugging aid that comes with it, and costs time.
        torch.utils.deterministic.fill_uninitialized_memory = False
