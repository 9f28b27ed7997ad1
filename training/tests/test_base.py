"""The small base starts with local attention, trains repeatably, and is written as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from siglip_hd_training.__main__ import main
from siglip_hd_training.base import PREPROCESSING, cut_windows, encode_at
from siglip_hd_training.kinds import KINDS
from siglip_hd_training.preprocessing import Preprocessing
from siglip_hd_training.start import start_model
from siglip_hd_training.tower import Tower, load_model

NANO = ["--channels=64", "--layers=1", "--heads=2", "--mlp=64", "--learning-rate=5e-3"]


def train(folder: Path, *flags: str) -> list[dict[str, float]]:
    assert main(["nano-base", f"--out={folder}", *NANO, *flags]) == 0
    return [json.loads(line) for line in folder.with_name(f"{folder.name}.jsonl").read_text().splitlines()]


def test_each_head_starts_by_looking_at_a_neighbour() -> None:
    model = start_model(256, channels=64, layers=1, heads=2, mlp=64, seed=0)
    pixels = torch.zeros(1, 3, 256, 256)
    layer = model.encoder.layers[0]
    with torch.no_grad():
        states = layer.layer_norm1(model.embeddings(pixels))
        queries, keys = (
            projection(states).reshape(256, 2, 32).transpose(0, 1)
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj)
        )
        looked_at = (queries @ keys.transpose(1, 2)).argmax(-1).reshape(2, 16, 16)
    places = torch.arange(256).reshape(16, 16)
    assert torch.equal(looked_at[0][:, 1:], places[:, :-1])  # to the left
    assert torch.equal(looked_at[1][:, :-1], places[:, 1:])  # to the right


def test_patches_start_as_frequencies_of_which_none_is_lost() -> None:
    model = start_model(64, channels=64, layers=1, heads=2, mlp=64, seed=0)
    weight = model.embeddings.patch_embedding.weight.detach().flatten(1)
    used = weight[weight.abs().sum(1) > 0]
    assert len(used) == 43
    assert torch.linalg.matrix_rank(used) == 43


def test_the_first_mlp_starts_by_seeing_stripes_wherever_they_begin() -> None:
    model = start_model(64, channels=64, layers=1, heads=2, mlp=128, seed=0)
    waves = torch.arange(64) * 2 * torch.pi * 2 / 16  # two in a patch
    stripes = [torch.sin(waves + shift).expand(1, 3, 64, 64) for shift in (0.0, 0.4, 1.0, 2.0)]
    stripes.append(stripes[0].mT)
    with torch.no_grad():
        patches = [model.embeddings.patch_embedding(pixels)[0, :, 0, 0] for pixels in stripes]
        first, *shifted, turned = [model.encoder.layers[0].mlp(patch) for patch in patches]
    apart = (first - turned).norm()
    assert all((first - other).norm() < 0.5 * apart for other in shifted)


def test_a_whole_view_has_the_tokens_that_the_saved_tower_gives() -> None:
    model = start_model(64, channels=64, layers=2, heads=2, mlp=64, seed=0).eval()
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encode_at(model, pixels, 0, 0), Tower(model)(pixels), atol=1e-5, rtol=0)


def test_a_window_has_the_positions_of_its_place() -> None:
    model = start_model(64, channels=64, layers=1, heads=2, mlp=64, seed=0).eval()
    model.encoder.layers = torch.nn.ModuleList()  # leaves the embedding and the norm
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = encode_at(model, pixels, 0, 0).reshape(4, 4, -1)
        window = encode_at(model, pixels[..., 16:48, 32:64], 1, 2).reshape(2, 2, -1)
    torch.testing.assert_close(window, whole[1:3, 2:4], atol=1e-5, rtol=0)


def test_each_window_keeps_the_labels_of_its_patches() -> None:
    # The patch at row 20, column 3 is dark and shows kind 5; it is in the third window.
    views = torch.full((2, 3, 512, 512), 255, dtype=torch.uint8)
    shown = torch.zeros(2, 1024, len(KINDS), dtype=torch.bool)
    views[1, :, 20 * 16 : 21 * 16, 3 * 16 : 4 * 16] = 0
    shown[1, 20 * 32 + 3, 5] = True
    windows, labels, _ = cut_windows(views, shown, np.random.default_rng(0))
    dark = (windows[:, 0].reshape(8, 16, 16, 16, 16).amax((2, 4)) == 0).flatten(1)
    assert torch.equal(labels[..., 5], dark)
    assert dark.nonzero().tolist() == [[6, 4 * 16 + 3]]


def test_the_loss_falls_and_the_same_seed_gives_the_same_base(tmp_path: Path) -> None:
    metrics = train(tmp_path / "one", "--steps=100")
    assert metrics[-1]["loss"] < 0.9 * metrics[0]["loss"]
    assert train(tmp_path / "again", "--steps=100") == metrics
    one, again = (load_model(str(tmp_path / name)).state_dict() for name in ("one", "again"))
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_the_base_is_written_in_float16_with_its_preprocessing(tmp_path: Path) -> None:
    train(tmp_path / "base", "--steps=1")
    assert Preprocessing.read(str(tmp_path / "base")) == PREPROCESSING
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    assert (config["image_size"], config["patch_size"], config["dtype"]) == (512, 16, "float16")
    model = load_model(str(tmp_path / "base"))
    assert all(torch.equal(one, one.half().float()) for one in model.parameters())


def test_a_folder_that_exists_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nano-base", f"--out={tmp_path}", *NANO]) == 1
    assert "Remove it" in capsys.readouterr().err
