"""Makes a small tower that learns to read in few steps.

Random weights first have to find out what a patch's frequencies are, and which token is its neighbour. The start gives
both: the patch embedding is a cosine transform of the patch, the position table has waves, and each head looks at one
neighbour. Everything is trained on from there. The second idea is that of structured initialisation of attention
(Zheng et al., 2024, arXiv:2404.01139).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from transformers import SiglipVisionConfig, SiglipVisionModel

PATCH_PX = 16
#: Waves of the position table, in radians per patch. No two have a common period within the table.
_WAVES = tuple(math.pi * share for share in (1.0, 0.58, 0.34, 0.2, 0.12))
#: Channels of the position table that have waves: a sine and a cosine for each wave, along x and along y.
_POSITION_CHANNELS = 4 * len(_WAVES)
#: Channels that see colour: the mean of red less blue, and of green less both.
_COLOUR_CHANNELS = 2
#: How sharply a head looks at its neighbour.
_SHARPNESS = 3.4
#: Column and row of the neighbour that each head looks at, layer by layer.
_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (1, -1), (-1, 1))


def start_model(image_size: int, channels: int, layers: int, heads: int, mlp: int, seed: int) -> SiglipVisionModel:
    """A tower of these sizes, with patches of 16 and without a pooling head."""
    torch.manual_seed(seed)
    config = SiglipVisionConfig(
        image_size=image_size,
        patch_size=PATCH_PX,
        hidden_size=channels,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=mlp,
        vision_use_head=False,
    )
    model = SiglipVisionModel(config)
    with torch.no_grad():
        _start_patches(model.embeddings.patch_embedding, channels - _POSITION_CHANNELS)
        side = image_size // config.patch_size
        model.embeddings.position_embedding.weight.zero_()
        model.embeddings.position_embedding.weight[:, -_POSITION_CHANNELS:] = _waves(side)
        for number, layer in enumerate(model.encoder.layers):
            _start_heads(layer.self_attn, number, heads)
    return model


def _start_patches(embedding: torch.nn.Conv2d, channels: int) -> None:
    """Gives channels the cosine transform of the luminance, from low frequencies up, and the last ones colour."""
    size = embedding.kernel_size[0]
    wave = np.cos(np.pi * np.outer(np.arange(size), np.arange(size) + 0.5) / size) * math.sqrt(2 / size)
    wave[0] /= math.sqrt(2)
    orders = sorted(((y, x) for y in range(size) for x in range(size)), key=lambda order: (sum(order), order))
    luminance = torch.tensor([0.299, 0.587, 0.114])
    weight = torch.zeros_like(embedding.weight)
    for channel, (y, x) in enumerate(orders[: channels - _COLOUR_CHANNELS]):
        # High frequencies are faint in an image; the mean is strong.
        gain = 0.1 if y + x == 0 else math.sqrt(1 + y + x) / 2
        weight[channel] = gain * luminance[:, None, None] * torch.from_numpy(np.outer(wave[y], wave[x])).float()
    colours = torch.tensor([[1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]])
    weight[channels - _COLOUR_CHANNELS : channels] = (colours / size**2)[:, :, None, None]
    embedding.weight.copy_(weight)
    embedding.bias.zero_()


def _waves(side: int) -> torch.Tensor:
    """Sines and cosines of the column, then of the row: [side * side, _POSITION_CHANNELS]."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    parts = []
    for place in (columns.flatten(), rows.flatten()):
        for wave in _WAVES:
            parts += [torch.sin(wave * place), torch.cos(wave * place)]
    return torch.stack(parts, 1)


def _start_heads(attention: torch.nn.Module, layer: int, heads: int) -> None:
    """Lets each head look at a neighbour: its keys are the waves, its queries the waves of the neighbour's place."""
    width = attention.head_dim
    places = min(width, _POSITION_CHANNELS)
    keys = torch.zeros(width, attention.embed_dim)
    keys[:places, -_POSITION_CHANNELS:] = torch.eye(_POSITION_CHANNELS)[:places]
    for head in range(heads):
        columns, rows = _NEIGHBOURS[(layer * heads + head) % len(_NEIGHBOURS)]
        turned = torch.zeros(_POSITION_CHANNELS, _POSITION_CHANNELS)
        turns = [wave * columns for wave in _WAVES] + [wave * rows for wave in _WAVES]
        for number, angle in enumerate(turns):
            sine, cosine = math.sin(angle), math.cos(angle)
            at = slice(2 * number, 2 * number + 2)
            turned[at, at] = torch.tensor([[cosine, sine], [-sine, cosine]])
        queries = torch.zeros(width, attention.embed_dim)
        queries[:places, -_POSITION_CHANNELS:] = turned[:places]
        own = slice(head * width, (head + 1) * width)
        attention.k_proj.weight[own] = _SHARPNESS * keys
        attention.q_proj.weight[own] = _SHARPNESS * queries
