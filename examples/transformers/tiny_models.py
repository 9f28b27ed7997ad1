"""Tiny checkpoints of six families, with random weights from fixed seeds. Nothing is downloaded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as tf

IMAGE_TOKEN, WORDS = 90, 96
CLIP_SIDE, SIGLIP_SIDE = 56, 128


@dataclass(frozen=True)
class Family:
    """How to make a checkpoint of a family, and how to encode for it.

    Attributes:
        model: The class of the whole model: tower, projector and language model.
        config: Its configuration.
        processor: Its image processor.
        seed: A seed whose weights answer different pictures differently.
        route: The service's recipe for it: encode or anyres.
        pixels: Options for calls of its image processor.
    """

    model: type[Any]
    config: Any
    processor: Any
    seed: int = 1
    route: str = "encode"
    pixels: dict[str, Any] = field(default_factory=dict)


def text(kind: type[Any], **more: Any) -> Any:
    return kind(
        vocab_size=WORDS,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        head_dim=24,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
        **more,
    )


def tower(kind: type[Any], side: int, patch_side: int, **more: Any) -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 2}
    return kind(image_size=side, patch_size=patch_side, **sizes, **more)


def families() -> dict[str, Family]:
    clip = tower(tf.CLIPVisionConfig, CLIP_SIDE, 14)
    siglip = tower(tf.SiglipVisionConfig, SIGLIP_SIDE, 16, vision_use_head=False)
    square = {"height": SIGLIP_SIDE, "width": SIGLIP_SIDE}
    clip_size = {"size": {"shortest_edge": CLIP_SIDE}, "crop_size": {"height": CLIP_SIDE, "width": CLIP_SIDE}}
    grids = [[CLIP_SIDE * down, CLIP_SIDE * across] for down, across in [(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)]]
    many_grids = [[SIGLIP_SIDE * down, SIGLIP_SIDE * across] for down in range(1, 4) for across in range(1, 4)]
    image = {"image_token_id": IMAGE_TOKEN}
    return {
        "llava": Family(
            tf.LlavaForConditionalGeneration,
            tf.LlavaConfig(text_config=text(tf.LlamaConfig), vision_config=clip, **image),
            tf.CLIPImageProcessorPil(**clip_size),
            seed=13,
        ),
        "llava_next": Family(
            tf.LlavaNextForConditionalGeneration,
            tf.LlavaNextConfig(
                text_config=text(tf.LlamaConfig), vision_config=clip, image_grid_pinpoints=grids, **image
            ),
            tf.LlavaNextImageProcessorPil(**clip_size, image_grid_pinpoints=grids),
            seed=9,
            route="anyres",
        ),
        "llava_onevision": Family(
            tf.LlavaOnevisionForConditionalGeneration,
            tf.LlavaOnevisionConfig(
                text_config=text(tf.Qwen2Config, num_key_value_heads=2),
                vision_config=siglip,
                image_grid_pinpoints=many_grids,
                video_token_id=IMAGE_TOKEN + 1,
                **image,
            ),
            tf.LlavaOnevisionImageProcessorPil(size=square, image_grid_pinpoints=many_grids),
            seed=28,
            route="anyres",
        ),
        "paligemma": Family(
            tf.PaliGemmaForConditionalGeneration,
            tf.PaliGemmaConfig(
                text_config=text(tf.GemmaConfig, num_key_value_heads=1, use_bidirectional_attention=True),
                vision_config=siglip,
                projection_dim=48,
                tie_word_embeddings=False,
                **image,
            ),
            tf.SiglipImageProcessorPil(size=square, resample=3),
            seed=17,
        ),
        "gemma3": Family(
            tf.Gemma3ForConditionalGeneration,
            tf.Gemma3Config(
                text_config=text(tf.Gemma3TextConfig, num_key_value_heads=1, query_pre_attn_scalar=24),
                vision_config=siglip,
                mm_tokens_per_image=16,
                tie_word_embeddings=False,
                boi_token_id=IMAGE_TOKEN + 1,
                eoi_token_id=IMAGE_TOKEN + 2,
                **image,
            ),
            tf.Gemma3ImageProcessorPil(size=square),
            seed=25,
        ),
        "smolvlm": Family(
            tf.SmolVLMForConditionalGeneration,
            tf.SmolVLMConfig(
                text_config=text(tf.LlamaConfig),
                vision_config=tower(tf.SmolVLMVisionConfig, SIGLIP_SIDE, 16),
                scale_factor=2,
                pad_token_id=0,
                **image,
            ),
            tf.SmolVLMImageProcessorPil(
                size={"longest_edge": 4 * SIGLIP_SIDE}, max_image_size={"longest_edge": SIGLIP_SIDE}
            ),
            seed=21,
            pixels={"do_image_splitting": False},
        ),
    }


def save(family: Family, folder: Path) -> None:
    model = family.model(family.config)
    randomise(model, family.seed)
    model.save_pretrained(folder)
    family.processor.save_pretrained(folder)


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Sets weights with which each layer keeps the scale of its input, so that the image reaches the answer."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        values = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            weight.data += 0.1 * values
        elif weight.ndim == 1:
            weight.data = 0.1 * values
        else:
            weight.data = values / weight[0].numel() ** 0.5
