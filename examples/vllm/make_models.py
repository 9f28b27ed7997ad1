"""Makes the tiny models of this example, with random weights from fixed seeds. It downloads nothing.

    python make_models.py models

`models/llava` is a LLaVA-1.5 and `models/llava-next` a LLaVA-1.6 (AnyRes with newline rows), each with a CLIP tower of
56 x 56 pixels. `models/llm` is the language model of `llava` alone. Answers are nonsense, but depend on the image.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

IMAGE_SIDE, PATCH_SIDE = 56, 14
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "USER:", "ASSISTANT:"]
QUESTION = ["What", "is", "in", "the", "picture", "s", "?", "and", "Compare", "these"]
WORDS = [first + middle + last for first in "bdfgklmn" for middle in "aeio" for last in "lnrstx"]
VOCABULARY = SPECIAL + QUESTION + WORDS
CHAT_TEMPLATE = (
    "<s>{% for message in messages %}"
    "{{ 'USER:' if message['role'] == 'user' else 'ASSISTANT:' }}"
    "{% if message['content'] is string %} {{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %} {{ part['text'] }}{% else %} <image>{% endif %}"
    "{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({word: index for index, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = Split(Regex(r"\s+|[?.,]"), "removed")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def configs(hidden_size: int) -> dict[str, Any]:
    return {
        "text_config": LlamaConfig(
            vocab_size=len(VOCABULARY),
            hidden_size=hidden_size,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=hidden_size // 32,
            num_key_value_heads=hidden_size // 32,
            max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        ),
        "vision_config": CLIPVisionConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=IMAGE_SIDE,
            patch_size=PATCH_SIDE,
        ),
        "image_token_id": SPECIAL.index("<image>"),
        "vision_feature_layer": -2,
    }


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Sets weights with which each layer keeps the scale of its input, so that the image reaches the answer."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        values = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            weight.data = 1 + 0.1 * values
        elif "embed" in name or weight.ndim == 1:
            weight.data = 0.5 * values
        else:
            weight.data = values / weight[0].numel() ** 0.5


def save(model: Any, processor: Any, folder: Path) -> None:
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    # vLLM knows the tensor names of the hub's llava-hf checkpoints, not those that transformers 5 writes for CLIP.
    file = folder / "model.safetensors"
    tensors = load_file(file).items()
    save_file(
        {name.replace("vision_tower.", "vision_tower.vision_model."): values for name, values in tensors},
        file,
        {"format": "pt"},
    )
    print(f"{folder}: {sum(weight.numel() for weight in model.parameters()):,} parameters")


def main(folder: Path) -> None:
    side = {"height": IMAGE_SIDE, "width": IMAGE_SIDE}
    pixels = {"size": {"shortest_edge": IMAGE_SIDE}, "crop_size": side}
    words = {"tokenizer": tokenizer(), "patch_size": PATCH_SIDE, "vision_feature_select_strategy": "default"}
    words |= {"num_additional_image_tokens": 1, "chat_template": CHAT_TEMPLATE}

    llava = LlavaForConditionalGeneration(LlavaConfig(**configs(hidden_size=128)))
    randomise(llava, seed=15)
    save(llava, LlavaProcessor(CLIPImageProcessorPil(**pixels), **words), folder / "llava")

    alone = LlamaForCausalLM(llava.config.text_config)
    alone.model, alone.lm_head = llava.model.language_model, llava.lm_head
    save(alone, tokenizer(), folder / "llm")

    grids = [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]
    llava_next = LlavaNextForConditionalGeneration(
        LlavaNextConfig(**configs(hidden_size=192), image_grid_pinpoints=grids)
    )
    randomise(llava_next, seed=41)
    views = LlavaNextImageProcessorPil(**pixels, image_grid_pinpoints=grids)
    save(llava_next, LlavaNextProcessor(views, **words), folder / "llava-next")


main(Path(sys.argv[1]))
