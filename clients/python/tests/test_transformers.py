from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest

from rows import rows, tokens_of
from siglip_hd_client.transformers import (
    encoder_outputs,
    expand_image_tokens,
    image_token_types,
    inputs_embeds,
)

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
transformers: Any = importlib.import_module("transformers") if importlib.util.find_spec("transformers") else None

needs_transformers = pytest.mark.skipif(transformers is None, reason="torch or transformers is not installed")
needs_version_5 = pytest.mark.skipif(
    transformers is None or not transformers.__version__.startswith("5."), reason="transformers 5 is not installed"
)
LLAVAS = ("llava", "llava_next", "llava_onevision")
STACKED = ("paligemma", "gemma3", "idefics3", "smolvlm")


def test_a_llava_s_placeholders_are_repeated_to_the_number_of_each_image_s_rows() -> None:
    for family in LLAVAS:
        prompt = "USER: <image> and <image>\nWhat? ASSISTANT:"
        expanded = expand_image_tokens(prompt, [rows(3), rows(2)], family)
        assert expanded == "USER: <image><image><image> and <image><image>\nWhat? ASSISTANT:"


def test_a_paligemma_prompt_has_its_images_first_then_bos_and_ends_its_line() -> None:
    assert expand_image_tokens("<image>caption en", rows(2), "paligemma") == "<image><image><bos>caption en\n"
    two = expand_image_tokens("<image><image>spot the\ndifference", [rows(2), rows(2)], "paligemma")
    assert two == "<image>" * 4 + "<bos>spot the\ndifference\n"


def test_a_gemma_3_image_stands_between_its_marks() -> None:
    soft = "<image_soft_token>"
    expected = f"Hi \n\n<start_of_image>{soft}{soft}<end_of_image>\n\n there"
    assert expand_image_tokens("Hi <start_of_image> there", rows(2), "gemma3") == expected


def test_a_smolvlm_image_stands_in_its_frame() -> None:
    frame = "<fake_token_around_image>"
    for family in ("smolvlm", "idefics3"):
        expanded = expand_image_tokens("User:<image>What?", rows(2), family)
        assert expanded == f"User:{frame}<global-img><image><image>{frame}What?"


def test_a_prompt_that_has_not_one_placeholder_for_each_image_is_refused() -> None:
    with pytest.raises(
        ValueError, match="The prompt has 1 placeholder for 2 images: write <image> once for each image"
    ):
        expand_image_tokens("<image>", [rows(), rows()], "llava")
    with pytest.raises(ValueError, match="The prompt has 0 placeholders for 1 image: write <start_of_image> once"):
        expand_image_tokens("<image>", rows(), "gemma3")


def test_an_unknown_family_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="Unknown family 'qwen2_vl'; use one of llava, llava_next"):
        expand_image_tokens("<image>", rows(), "qwen2_vl")


def test_features_are_refused_with_what_to_ask_for() -> None:
    with pytest.raises(ValueError, match='output="embeddings"'):
        expand_image_tokens("<image>", rows(output="features"), "llava")


@needs_transformers
def test_llavas_take_a_list_of_rows_and_the_others_a_stack() -> None:
    images = [rows(4, seed=1), rows(4, seed=2)]
    for family in LLAVAS:
        output = encoder_outputs(images, family)["image"].pooler_output
        assert [tuple(image.shape) for image in output] == [(4, 3), (4, 3)]
    for family in STACKED:
        output = encoder_outputs(images, family, dtype=torch.float32)["image"].pooler_output
        assert tuple(output.shape) == (2, 4, 3)
        assert output.dtype == torch.float32


@needs_transformers
def test_images_of_different_numbers_of_rows_cannot_be_stacked() -> None:
    assert len(encoder_outputs([rows(4), rows(2)], "llava")["image"].pooler_output) == 2
    with pytest.raises(ValueError, match=r"embeddings of one shape; these are \[4, 3\], \[2, 3\]"):
        encoder_outputs([rows(4), rows(2)], "gemma3")


@needs_transformers
def test_image_token_types_are_1_at_image_tokens() -> None:
    assert image_token_types(torch.tensor([[5, 9, 9, 5]]), 9).tolist() == [[0, 1, 1, 0]]


TEXT = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}


def tiny(family: str) -> Any:
    """A model of 16 rows an image, with random weights."""
    torch.manual_seed(11)
    vision = transformers.SiglipVisionConfig(**VISION)
    if family == "llava":
        config = transformers.LlavaConfig(
            vision_config=vision,
            text_config=transformers.LlamaConfig(**TEXT),
            image_token_index=99,
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
        )
        return transformers.LlavaForConditionalGeneration(config).eval()
    if family == "paligemma":
        text = transformers.GemmaConfig(**TEXT, head_dim=8)
        config = transformers.PaliGemmaConfig(
            vision_config=vision, text_config=text, image_token_index=99, projection_dim=32
        )
        return transformers.PaliGemmaForConditionalGeneration(config).eval()
    text = transformers.Gemma3TextConfig(**TEXT, head_dim=8)
    config = transformers.Gemma3Config(
        vision_config=vision, text_config=text, image_token_index=99, mm_tokens_per_image=16
    )
    return transformers.Gemma3ForConditionalGeneration(config).eval()


def prompt_of(family: str) -> dict[str, Any]:
    """A prompt with the 16 tokens of one image."""
    ids = [*[99] * 16, 1, 5, 6, 7] if family == "paligemma" else [1, 5, *[99] * 16, 6, 7]
    input_ids = torch.tensor([ids])
    prompt = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    if family == "gemma3":
        prompt["token_type_ids"] = image_token_types(input_ids, 99)
    if family == "paligemma":
        prompt["token_type_ids"] = torch.zeros_like(input_ids)
    return prompt


GREEDY = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}


def from_pixels(family: str) -> tuple[Any, Any, list[int]]:
    """A model, an image's rows before any scaling, and what is generated from the pixels."""
    model = tiny(family)
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(3))
    prompt = prompt_of(family)
    generated = model.generate(**prompt, pixel_values=pixels, **GREEDY)[0, prompt["input_ids"].shape[1] :].tolist()
    with torch.no_grad():
        found = model.get_image_features(pixel_values=pixels)
    found = getattr(found, "pooler_output", found)
    return model, found[0].numpy(), generated


@needs_version_5
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("family", ["llava", "paligemma", "gemma3"])
def test_transformers_5_generates_from_rows_what_it_generates_from_pixels(family: str) -> None:
    model, found, generated = from_pixels(family)
    model.model.vision_tower = None
    model.model.multi_modal_projector = None
    assert model.config.model_type == family
    prompt = prompt_of(family)
    outputs = encoder_outputs(tokens_of(found), family, device=model.device)
    output = model.generate(**prompt, mm_encoder_outputs=outputs, **GREEDY)
    assert output[0, prompt["input_ids"].shape[1] :].tolist() == generated


@needs_transformers
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("family", ["llava", "paligemma", "gemma3"])
def test_transformers_4_generates_from_embeddings_what_it_generates_from_pixels(family: str) -> None:
    if not transformers.__version__.startswith("4.") and family != "llava":
        pytest.skip("transformers 4 is not installed")
    model, found, generated = from_pixels(family)
    if family == "paligemma":
        # That version scales them itself; the service's rows are unscaled.
        found = found * found.shape[-1] ** 0.5
    prompt = prompt_of(family)
    embeds = inputs_embeds(model, prompt.pop("input_ids"), tokens_of(found))
    assert model.generate(inputs_embeds=embeds, **prompt, **GREEDY)[0].tolist() == generated


@needs_transformers
def test_as_many_rows_as_image_tokens_are_needed() -> None:
    with pytest.raises(ValueError, match="16 image tokens for 4 rows"):
        inputs_embeds(tiny("llava"), prompt_of("llava")["input_ids"], tokens_of(np.zeros((4, 32))))
