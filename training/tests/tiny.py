"""Tiny models and images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel, PreTrainedModel, SiglipVisionConfig, SiglipVisionModel

REPOSITORY = Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "test" / "fixtures"


def siglip(image_size: int = 16, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = SiglipVisionConfig(
        image_size=image_size,
        patch_size=4,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_act="gelu_pytorch_tanh",
    )
    model = SiglipVisionModel(config).eval()
    # transformers starts with biases of 0, which would hide a bias that is lost.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def clip(image_size: int = 16, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        image_size=image_size,
        patch_size=4,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        projection_dim=4,
    )
    model = CLIPVisionModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def save_checkpoint(model: PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    processor = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def save_images(folder: Path, count: int, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (9, 7, 3), dtype=np.uint8))
        coarse.resize((42, 54), Image.Resampling.BICUBIC).save(folder / f"{index:03}.png")
    return folder
