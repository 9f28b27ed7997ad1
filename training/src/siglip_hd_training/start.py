"""Makes a small tower that learns to read in few steps.

Random weights first have to find out what a patch's frequencies are, that the strength of one matters and not where its
waves begin, and which token is its neighbour. The start gives all three: the patch embedding is a Fourier transform of
the patch, the first MLP sees the strength of each frequency, the position table has waves, and each head looks at one
neighbour. Everything is trained on from there. The idea for the heads is that of structured initialisation (Zheng et
al., 2024, arXiv:2404.01139).
"""

from __future__ import annotations

import math

import torch
from transformers import SiglipVisionConfig, SiglipVisionModel

PATCH_PX = 16
#: Waves of the position table, in radians per patch, chosen so that no two of 32 columns look alike.
_WAVES = tuple(math.pi * share for share in (1.0, 0.54, 0.35, 0.24, 0.06))
#: Channels of the position table that have waves: a sine and a cosine for each wave, along x and along y.
_POSITION_CHANNELS = 4 * len(_WAVES)
#: Channels for a patch's mean and its two colours.
_MEAN_CHANNELS = 3
#: The input of the units that see a frequency's strength.
_STRENGTH_GAIN = 2.0
#: The first layer's neighbours begin faint, so that its MLP sees the patch itself.
_FIRST_ATTENTION = 0.3
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
        first = model.encoder.layers[0]
        first.self_attn.out_proj.weight.mul_(_FIRST_ATTENTION)
        _start_strengths(first.mlp, channels - _POSITION_CHANNELS)
    return model


def _frequencies(count: int) -> list[tuple[int, int]]:
    """The lowest frequencies of a patch along x and y, in waves per patch, each without its mirror image."""
    most = PATCH_PX // 2 - 1
    half = [(x, y) for y in range(most + 1) for x in range(-most, most + 1) if y > 0 or x > 0]
    return sorted(half, key=lambda waves: (waves[0] ** 2 + waves[1] ** 2, waves))[:count]


def _start_patches(embedding: torch.nn.Conv2d, channels: int) -> None:
    """Gives channels the mean luminance, two colours, then cosine and sine of each frequency, from low ones up."""
    luminance = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    weight = torch.zeros_like(embedding.weight)
    weight[0] = 1.6 * luminance / PATCH_PX**2
    weight[1:3] = torch.tensor([[1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]])[:, :, None, None] / PATCH_PX**2
    places = torch.arange(PATCH_PX) * 2 * math.pi / PATCH_PX
    for number, (x, y) in enumerate(_frequencies((channels - _MEAN_CHANNELS) // 2)):
        angles = x * places[None, :] + y * places[:, None]
        # High frequencies are faint in an image.
        gain = 2**0.5 / PATCH_PX * math.sqrt(1 + math.hypot(x, y)) / 1.5
        at = _MEAN_CHANNELS + 2 * number
        weight[at], weight[at + 1] = gain * luminance * angles.cos(), gain * luminance * angles.sin()
    embedding.weight.copy_(weight)
    embedding.bias.zero_()


def _start_strengths(mlp: torch.nn.Module, channels: int) -> None:
    """Lets units see a cosine or sine with either sign; those of one frequency begin with the same effect.

    GELU of a value and of its negative add up to an even function, near the value's size.
    """
    seen = (channels - _MEAN_CHANNELS) // 2
    unit = 0
    for number in range(min(seen, len(mlp.fc1.weight) // 4)):
        for part in range(2):
            for sign in (1.0, -1.0):
                mlp.fc1.weight[unit] = 0.0
                mlp.fc1.weight[unit, _MEAN_CHANNELS + 2 * number + part] = sign * _STRENGTH_GAIN
                mlp.fc2.weight[:, unit] = mlp.fc2.weight[:, 4 * number]
                unit += 1


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
