"""The service imports a trained model and serves the student's tokens."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny
from siglip_hd_training.__main__ import main
from siglip_hd_training.image_file import decode
from siglip_hd_training.preprocessing import Preprocessing
from siglip_hd_training.tower import Tower, load_model

ROCKET = tiny.FIXTURES / "images" / "rocket.jpg"


def siglip_hd(*arguments: str) -> None:
    command = ["node", "bin/siglip-hd.cjs", *arguments]
    done = subprocess.run(command, cwd=tiny.REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    def run(*flags: str) -> Path:
        images = tiny.save_images(tmp_path / "images", 12)
        out = tmp_path / "run"
        fixed = [
            "--steps=2",
            "--warm-up-steps=1",
            "--batch=1",
            "--micro-batch=1",
            "--learning-rate=1e-3",
            "--workers=0",
        ]
        assert main(["train", f"--images={images}", f"--out={out}", *fixed, *flags]) == 0
        return out

    return run


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("siglip-tiny", []),
        ("siglip-tiny", ["--features=penultimate"]),
        ("clip-tiny", ["--image-size=518", "--scales=336,672,1008"]),
    ],
)
def test_the_service_gives_the_tokens_of_the_trained_model(
    train: Callable[..., Path], tmp_path: Path, name: str, flags: list[str]
) -> None:
    if shutil.which("node") is None or not (tiny.REPOSITORY / "build" / "src").is_dir():
        pytest.skip("there is no node, or the service is not built (npm ci && npm run build)")
    model = train(f"--model={tiny.FIXTURES / name}", *flags) / "model"
    features = "penultimate" if "--features=penultimate" in flags else "last_hidden_state"
    siglip_hd("import", str(model), "--out", str(tmp_path / "served"), "--features", features)
    tokens = tmp_path / "tokens"
    served = ("--model", str(tmp_path / "served"), "--warm-up-ms", "0")
    siglip_hd("encode", str(ROCKET), *served, "--dtype", "float32", "--out", str(tokens))
    [file] = tokens.rglob("*.npy")
    tower = Tower(load_model(str(model)), features)
    preprocessing = Preprocessing.read(str(model))
    views = preprocessing.view(decode(ROCKET.read_bytes()), tower.image_size)[None]
    with torch.no_grad():
        expected = tower(preprocessing.normalise(views))[0].numpy()
    assert np.abs(np.load(file) - expected).max() < 5e-5


def test_any_checkpoint_can_be_exported(train: Callable[..., Path], tmp_path: Path) -> None:
    base = tiny.save_checkpoint(tiny.siglip(), tmp_path / "base")
    out = train(f"--model={base}", "--ema=0.5", "--save-every=1", "--min-side=1")
    assert main(["export", str(out / "checkpoints" / "step-0000001.pt"), f"--out={tmp_path / 'first'}"]) == 0
    first, last = (load_model(str(folder)).state_dict() for folder in (tmp_path / "first", out / "model"))
    assert not torch.equal(first["encoder.layers.0.mlp.fc1.weight"], last["encoder.layers.0.mlp.fc1.weight"])
    card = (out / "model" / "README.md").read_text()
    assert "| step 2 |" in card
    assert "| base |" in card
    assert "| scales | [16, 32] |" in card


def test_an_export_in_float16_is_half_as_large_and_gives_the_rounded_tokens(
    train: Callable[..., Path], tmp_path: Path
) -> None:
    base = tiny.save_checkpoint(tiny.siglip(), tmp_path / "base")
    checkpoint = train(f"--model={base}", "--min-side=1") / "checkpoints" / "step-0000002.pt"
    models = []
    for dtype in ("float32", "float16"):
        assert main(["export", str(checkpoint), f"--out={tmp_path / dtype}", f"--dtype={dtype}"]) == 0
        models.append(load_model(str(tmp_path / dtype)).state_dict())
    assert all(torch.equal(rounded, models[0][name].half().float()) for name, rounded in models[1].items())
    sizes = [(tmp_path / dtype / "model.safetensors").stat().st_size for dtype in ("float32", "float16")]
    assert sizes[1] < 0.8 * sizes[0]


def test_an_export_does_not_replace_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "run/checkpoints/best.pt", f"--out={tmp_path}"]) == 1
    assert f"{tmp_path} exists" in capsys.readouterr().err
