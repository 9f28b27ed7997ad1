"""TensorBoard and Weights & Biases get the figures of metrics.jsonl."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from siglip_hd_training.errors import TrainingError
from siglip_hd_training.run_log import RunLog
from siglip_hd_training.settings import Settings


def settings(out: Path, **changes: Any) -> Settings:
    out.mkdir(parents=True, exist_ok=True)
    return Settings(model="base", images=("images",), out=str(out), steps=9, warm_up_steps=1, **changes)


def test_a_resumed_run_has_one_curve_in_tensorboard(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = settings(tmp_path / "run", tensorboard=True)
    # The first process dies after step 3 and the last checkpoint is of step 2.
    for start, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        log = RunLog(run, start, is_first=True)
        for step in steps:
            log.write(step, {"loss": step / 4})
        log.close()
    events = reading.EventAccumulator(str(tmp_path / "run" / "tensorboard"), purge_orphaned_data=True).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1)]


def test_a_run_of_wandb_goes_on_when_it_resumes_and_each_folder_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, Any]] = []
    logged: list[tuple[int, dict[str, float]]] = []

    def init(**options: Any) -> SimpleNamespace:
        opened.append(options)
        return SimpleNamespace(log=lambda values, step: logged.append((step, values)), finish=lambda: None)

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    for out in ("one/run", "one/run", "two/run"):
        log = RunLog(settings(tmp_path / out, wandb="project"), 0, is_first=True)
        log.write(1, {"loss": 0.5})
        log.close()
    assert [options["name"] for options in opened] == ["run"] * 3
    assert all(options["resume"] == "allow" and options["project"] == "project" for options in opened)
    first, again, other = [options["id"] for options in opened]
    assert first == again != other
    assert logged == [(1, {"loss": 0.5})] * 3


@pytest.mark.parametrize(
    ("module", "changes"), [("torch.utils.tensorboard", {"tensorboard": True}), ("wandb", {"wandb": "project"})]
)
def test_what_is_not_installed_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, changes: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrainingError, match="pip install"):
        RunLog(settings(tmp_path, **changes), 0, is_first=True)
