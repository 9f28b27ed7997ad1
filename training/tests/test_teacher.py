"""The trainer's teacher is the service's TeacherEncode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
from siglip_hd_training.errors import TrainingError
from siglip_hd_training.image_file import decode
from siglip_hd_training.preprocessing import Preprocessing
from siglip_hd_training.teacher import Teacher
from siglip_hd_training.tower import Tower, load_model, resized

CASES: list[dict[str, Any]] = json.loads((tiny.FIXTURES / "cases.json").read_text())["cases"]
TEACHER_CASES = [
    case
    for case in CASES
    if case["rpc"] == "TeacherEncode" and case.get("fusion") == "average" and "windows" not in case
]
# The trainer squashes, and always applies the EXIF orientation.
ENCODE_CASES = [
    case
    for case in CASES
    if case["rpc"] == "Encode" and "crop" not in case.get("preprocess", "") and "ignored" not in case["expected"]
]


def expected(case: dict[str, Any]) -> torch.Tensor:
    return torch.from_numpy(np.load(tiny.FIXTURES / "expected" / case["expected"]))


def image_of(case: dict[str, Any]) -> Any:
    return decode((tiny.FIXTURES / "images" / case["image"]).read_bytes())


@pytest.mark.parametrize("case", TEACHER_CASES, ids=lambda case: case["expected"])
def test_the_teacher_gives_the_tokens_of_teacher_encode(case: dict[str, Any]) -> None:
    folder = str(tiny.FIXTURES / case.get("model", "siglip-tiny"))
    preprocessing = Preprocessing.read(folder)
    side = case["grid"][0] if "grid" in case else None
    teacher = Teacher(Tower(load_model(folder)), preprocessing, case["scales"], case.get("weights"), side, chunk=3)
    views = {scale: preprocessing.view(image_of(case), scale)[None] for scale in case["scales"]}
    assert (teacher(views)[0] - expected(case)).abs().max() <= 1e-5


@pytest.mark.parametrize("case", ENCODE_CASES, ids=lambda case: case["expected"])
def test_a_tower_gives_the_tokens_of_encode(case: dict[str, Any]) -> None:
    name, _, size = case.get("model", "siglip-tiny").partition(" imported at image size ")
    folder = str(tiny.FIXTURES / name)
    model = load_model(folder)
    tower = Tower(resized(model, int(size)) if size else model, case["features"])
    preprocessing = Preprocessing.read(folder)
    views = preprocessing.view(image_of(case), tower.image_size)[None]
    with torch.no_grad():
        tokens = tower(preprocessing.normalise(views))[0]
    assert (tokens - expected(case)).abs().max() <= 1e-5


def test_a_tower_inside_a_sharded_two_tower_checkpoint_loads_whole() -> None:
    alone = load_model(str(tiny.FIXTURES / "siglip-tiny")).state_dict()
    inside = load_model(str(tiny.FIXTURES / "siglip-tiny-sharded")).state_dict()
    assert alone.keys() == inside.keys()
    assert all(torch.equal(alone[name], inside[name]) for name in alone)


def test_a_checkpoint_without_the_pooling_head_stays_without_one(tmp_path: Path) -> None:
    tiny.save_checkpoint(tiny.siglip(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: one for name, one in weights.items() if not name.startswith("head.")}, tmp_path / "model.safetensors"
    )
    model = load_model(str(tmp_path))
    assert not any(name.startswith("head.") for name in model.state_dict())
    assert Tower(model)(torch.rand(1, 3, 16, 16)).shape == (1, 16, 8)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    tiny.save_checkpoint(tiny.siglip(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layers.1.mlp.fc1.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(TrainingError, match=r"lacks weights of its vision tower: encoder\.layers\.1\.mlp\.fc1\.weight"):
        load_model(str(tmp_path))


def test_windows_of_another_quarter_change_their_quarter_of_the_map_alone() -> None:
    preprocessing = Preprocessing((0.5,) * 3, (0.5,) * 3, 1 / 255, 2)
    teacher = Teacher(Tower(tiny.siglip()), preprocessing, [32])
    views = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    changed = views.clone()
    changed[:, :, :16, 16:] = 255 - changed[:, :, :16, 16:]
    difference = (teacher({32: views}) - teacher({32: changed})).abs().sum(-1).reshape(2, 4, 4)
    assert (difference[:, :2, 2:] > 0).all()
    difference[:, :2, 2:] = 0
    assert (difference == 0).all()


@pytest.mark.parametrize(
    ("scales", "weights", "message"),
    [
        ([16, 24], None, "multiples of the image size 16"),
        ([], None, "multiples of the image size 16"),
        ([16, 32], [1.0], "for each of 2 scales"),
        ([16, 32], [1.0, 0.0], "positive number"),
    ],
)
def test_scales_and_weights_that_do_not_fit_are_refused(
    scales: list[int], weights: list[float] | None, message: str
) -> None:
    preprocessing = Preprocessing((0.5,) * 3, (0.5,) * 3, 1 / 255, 2)
    with pytest.raises(TrainingError, match=message):
        Teacher(Tower(tiny.siglip()), preprocessing, scales, weights)


@pytest.mark.parametrize("features", ["last_hidden_state", "pre_norm", "penultimate"])
@pytest.mark.parametrize("make", [tiny.siglip, tiny.clip])
def test_every_parameter_that_stays_trainable_gets_a_gradient(make: Any, features: Any) -> None:
    tower = Tower(make(), features)
    tower.freeze_unused()
    tower(torch.rand(1, 3, 16, 16)).square().sum().backward()
    for name, parameter in tower.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
