"""A run trains, resumes to the bit, and ends clearly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionModel, SiglipVisionModel

import tiny
from siglip_hd_training.checkpoint import read_checkpoint
from siglip_hd_training.errors import TrainingError
from siglip_hd_training.order import Order
from siglip_hd_training.processes import Processes
from siglip_hd_training.settings import Settings
from siglip_hd_training.trainer import Trainer

ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tiny.siglip(), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_images(tmp_path_factory.mktemp("images"), 20)


@pytest.fixture
def settings(base: Path, images: Path, tmp_path: Path) -> Callable[..., Settings]:
    def make(out: str = "run", **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "model": str(base),
            "images": (str(images),),
            "out": str(tmp_path / out),
            "steps": 6,
            "warm_up_steps": 2,
            "batch": 4,
            "micro_batch": 4,
            "learning_rate": 1e-3,
            "workers": 0,
            "save_every": 2,
            "validate_every": 3,
            "pictures_every": 0,
            "log_every": 1,
            "min_side": 1,
        }
        return Settings(**values | changes)

    return make


def metrics(settings: Settings) -> list[dict[str, float]]:
    return [json.loads(line) for line in Path(settings.out, "metrics.jsonl").read_text().splitlines()]


def losses(settings: Settings) -> list[float]:
    return [line["loss"] for line in metrics(settings) if "loss" in line]


def last_state(settings: Settings) -> dict[str, Any]:
    return read_checkpoint(max(Path(settings.out, "checkpoints").glob("step-*.pt")))


def assert_same_weights(one: Settings, other: Settings, name: str = "student") -> None:
    states = [last_state(run)[name] for run in (one, other)]
    assert states[0].keys() == states[1].keys()
    for key in states[0]:
        assert torch.equal(states[0][key], states[1][key]), key


def test_a_student_comes_nearer_to_its_teacher_on_held_out_images(settings: Callable[..., Settings]) -> None:
    run = settings(steps=60, warm_up_steps=5, learning_rate=5e-3, validate_every=20)
    assert Trainer(run, ALONE).run()
    held_out = [line for line in metrics(run) if "held_out_l1" in line]
    assert held_out[-1]["held_out_l1"] < 0.9 * held_out[0]["held_out_l1"]
    assert held_out[-1]["held_out_cosine"] > held_out[0]["held_out_cosine"]


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"checkpointing": True}, {"workers": 2}, {"micro_batch": 2}])
def test_a_run_that_is_cut_off_in_mid_epoch_resumes_to_the_same_weights(
    settings: Callable[..., Settings], changes: dict[str, Any]
) -> None:
    unbroken, broken = settings("unbroken", **changes), settings("broken", keep=9, **changes)
    Trainer(unbroken, ALONE).run()
    Trainer(broken, ALONE).run()
    # As if the machine had died in the fourth step, while the fourth step's checkpoint was written.
    for step in (4, 6):
        Path(broken.out, "checkpoints", f"step-{step:07}.pt").unlink()
    Path(broken.out, "checkpoints", "step-0000004.tmp").write_bytes(b"half")
    shutil.rmtree(Path(broken.out, "model"))
    with Path(broken.out, "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    assert last_state(broken)["step"] == 3
    assert Trainer(broken, ALONE).run()
    assert_same_weights(unbroken, broken)
    if "ema" in changes:
        assert_same_weights(unbroken, broken, "ema")
    assert losses(broken) == losses(unbroken)


def test_activation_checkpointing_and_accumulation_do_not_change_the_curve(settings: Callable[..., Settings]) -> None:
    plain = settings("plain")
    Trainer(plain, ALONE).run()
    for out, changes in (("again", {"checkpointing": True}), ("parts", {"micro_batch": 1})):
        other = settings(out, **changes)
        Trainer(other, ALONE).run()
        assert losses(other) == pytest.approx(losses(plain), rel=1e-5)


def test_bf16_autocast_stays_close_to_fp32_and_keeps_fp32_weights(settings: Callable[..., Settings]) -> None:
    full, half = settings("full", precision="fp32"), settings("half", precision="bf16")
    for run in (full, half):
        Trainer(run, ALONE).run()
    assert losses(half) == pytest.approx(losses(full), rel=0.05)
    assert losses(half) != losses(full)
    assert all(tensor.dtype == torch.float32 for tensor in last_state(half)["student"].values())


def test_the_last_checkpoints_and_the_best_are_kept(settings: Callable[..., Settings]) -> None:
    run = settings(steps=8, save_every=1, validate_every=1, keep=2, learning_rate=1e-3)
    Trainer(run, ALONE).run()
    folder = Path(run.out, "checkpoints")
    assert sorted(path.name for path in folder.iterdir()) == ["best.pt", "step-0000007.pt", "step-0000008.pt"]
    best = read_checkpoint(folder / "best.pt")
    held_out = {line["step"]: line["held_out_l1"] for line in metrics(run) if "held_out_l1" in line and line["step"]}
    assert best["step"] == min(held_out, key=lambda step: held_out[step])


def test_a_finished_run_is_left_alone_and_other_settings_are_refused(settings: Callable[..., Settings]) -> None:
    run = settings()
    Trainer(run, ALONE).run()
    before = {path: path.stat().st_mtime_ns for path in Path(run.out, "checkpoints").iterdir()}
    assert Trainer(run, ALONE).run()
    assert {path: path.stat().st_mtime_ns for path in Path(run.out, "checkpoints").iterdir()} == before
    with pytest.raises(TrainingError, match=r"learning_rate = 0\.001; now it is 0\.1"):
        Trainer(settings(learning_rate=0.1), ALONE)


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_checkpoints(settings: Callable[..., Settings]) -> None:
    run = settings(steps=50, learning_rate=1e30, save_every=1)
    with pytest.raises(TrainingError, match=r"the loss is .* is the last checkpoint\. Start anew"):
        Trainer(run, ALONE).run()
    saved = last_state(run)
    assert saved["step"] >= 1
    assert len(losses(run)) == saved["step"]


def test_held_out_images_that_cannot_be_read_are_counted_too(settings: Callable[..., Settings], tmp_path: Path) -> None:
    folder = tiny.save_images(tmp_path / "images", 20)
    for index in Order(20, 2, 0).held_out[:1]:
        (folder / f"{index:03}.png").write_bytes(b"no image")
    run = settings(images=(str(folder),))
    Trainer(run, ALONE).run()
    assert [line["skipped"] for line in metrics(run) if "skipped" in line] == [1] * 6
    assert len(Path(run.out, "skipped.txt").read_text().splitlines()) == 1


def test_broken_images_are_counted_and_named(settings: Callable[..., Settings], tmp_path: Path) -> None:
    folder = tiny.save_images(tmp_path / "images", 6)
    (folder / "002.png").write_bytes(b"no image")
    run = settings(images=(str(folder),))
    Trainer(run, ALONE).run()
    lines = Path(run.out, "skipped.txt").read_text().splitlines()
    assert metrics(run)[-1]["skipped"] == len(lines) == 4
    assert set(lines) == {line for line in lines if line.startswith(f"{folder}/002.png: ")}


@pytest.mark.parametrize("features", ["last_hidden_state", "pre_norm", "penultimate"])
def test_every_hidden_state_trains_and_leaves_what_it_does_not_use(
    settings: Callable[..., Settings], base: Path, features: str
) -> None:
    run = settings(features=features, weight_decay=0.5)
    Trainer(run, ALONE).run()
    before, after = (SiglipVisionModel.from_pretrained(path).state_dict() for path in (base, Path(run.out, "model")))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "encoder.layers.0.mlp.fc1.weight" in changed
    assert not any(name.startswith("head.") for name in changed)
    assert ("post_layernorm.weight" in changed) == (features == "last_hidden_state")
    assert ("encoder.layers.1.mlp.fc1.weight" in changed) == (features != "penultimate")


def test_clip_trains_at_a_larger_image_size_from_three_scales(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    base = tiny.save_checkpoint(tiny.clip(), tmp_path / "clip")
    run = settings(model=str(base), image_size=24, scales=(16, 32, 48), pictures_every=3, pictures=1)
    Trainer(run, ALONE).run()
    model = CLIPVisionModel.from_pretrained(Path(run.out, "model"))
    assert model.config.image_size == 24
    assert model(pixel_values=torch.rand(1, 3, 24, 24)).last_hidden_state.shape == (1, 37, 8)
    assert sorted(path.name for path in Path(run.out, "pictures").iterdir()) == ["step-0000003.png", "step-0000006.png"]


def test_processes_that_cannot_share_a_batch_are_refused(settings: Callable[..., Settings]) -> None:
    with pytest.raises(TrainingError, match="Make it a multiple of 3"):
        Trainer(settings(batch=4, micro_batch=3), ALONE)
