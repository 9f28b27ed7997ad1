"""Writes a student as a Hugging Face folder, which transformers loads and `siglip-hd import` takes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import torch
from transformers import PreTrainedModel

from .checkpoint import State
from .errors import TrainingError
from .preprocessing import CONFIG_FILE, Preprocessing
from .tower import Tower, build_model, load_model

CARD_FILE = "README.md"


def restore_student(state: State) -> tuple[Tower, Preprocessing]:
    """The student of a checkpoint: its average if it has one."""
    tower = Tower(build_model(json.loads(state["config"])), state["settings"]["features"])
    tower.load_state_dict(state["ema"] or state["student"])
    return tower.eval(), Preprocessing(**{name: _as_tuple(value) for name, value in state["preprocessing"].items()})


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def export(state: State, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Writes the student of a checkpoint to a folder, with a card."""
    tower, preprocessing = restore_student(state)
    save_model(tower.model, preprocessing, folder, dtype, model_card(state))


def save_model(
    model: PreTrainedModel, preprocessing: Preprocessing, folder: Path, dtype: torch.dtype, card: str | None = None
) -> None:
    """Writes a model, rounded to a type, to a folder, and checks that the folder gives its tokens."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.to(dtype).save_pretrained(temporary)
    tower = Tower(model.float())
    config = preprocessing.as_config(tower.image_size, "CLIP" if tower.is_clip else "Siglip")
    (temporary / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n")
    if card is not None:
        (temporary / CARD_FILE).write_text(card)
    for weights in temporary.glob("*.safetensors"):
        # safetensors lets the owner alone read its files.
        shutil.copymode(temporary / CONFIG_FILE, weights)
    _check(tower, temporary)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(temporary, folder)


def _check(tower: Tower, folder: Path) -> None:
    other = Tower(load_model(str(folder)))
    pixels = torch.rand(1, 3, tower.image_size, tower.image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = (tower(pixels) - other(pixels)).abs().max().item()
    if difference > 1e-5:
        raise TrainingError(f"The model that was written to {folder} differs from the one in memory by {difference}.")


def model_card(state: State) -> str:
    """A card with the run's settings and figures."""
    settings = state["settings"]
    shown = (
        "model",
        "teacher",
        "scales",
        "weights",
        "loss",
        "features",
        "batch",
        "learning_rate",
        "weight_decay",
        "seed",
    )
    rows = [f"| {name} | {settings[name]} |" for name in shown if settings[name] is not None]
    figures = [
        f"| {when} | {values['l1']:.4f} | {values['cosine']:.4f} |"
        for when, values in (("base", state["first_validation"]), (f"step {state['step']}", state["validation"]))
        if values
    ]
    return "\n".join(
        [
            "# A student of fine-to-coarse supervision",
            "",
            f"Trained for {state['step']} of {settings['steps']} steps by siglip-hd-training.",
            "",
            "| setting | |",
            "| --- | --- |",
            *rows,
            "",
            "Distance to the teacher on held-out images. Whether the student reads better, only the probe shows.",
            "",
            "| | L1 | cosine |",
            "| --- | --- | --- |",
            *figures,
            "",
        ]
    )
