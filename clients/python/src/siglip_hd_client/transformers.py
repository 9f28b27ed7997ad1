"""Embeddings for transformers' models, which then need neither vision tower nor projector.

transformers 5:

    text = expand_image_tokens(prompt, tokens, "llava")
    inputs = processor.tokenizer(text, return_tensors="pt", add_special_tokens=False)
    model.generate(**inputs, mm_encoder_outputs=encoder_outputs(tokens, "llava"))

transformers 4, whose ``generate`` takes no encoder outputs:

    embeds = inputs_embeds(model, inputs["input_ids"], tokens)
    model.generate(inputs_embeds=embeds, attention_mask=inputs["attention_mask"])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .extras import needs
from .rows import require_rows
from .tokens import Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class _Family:
    """The conventions of a model family.

    Attributes:
        placeholder: The text that marks an image in a prompt.
        expansion: The text that the model's processor replaces it with, for a number of rows.
        is_stacked: Whether the model takes a tensor ``(images, rows, hidden)`` instead of a list of ``(rows, hidden)``.
    """

    placeholder: str
    expansion: Callable[[int], str]
    is_stacked: bool


def _repeated(rows: int) -> str:
    return "<image>" * rows


def _framed(rows: int) -> str:
    fake = "<fake_token_around_image>"
    return f"{fake}<global-img>{'<image>' * rows}{fake}"


def _gemma3(rows: int) -> str:
    return f"\n\n<start_of_image>{'<image_soft_token>' * rows}<end_of_image>\n\n"


_FAMILIES = {
    "llava": _Family("<image>", _repeated, is_stacked=False),
    "llava_next": _Family("<image>", _repeated, is_stacked=False),
    "llava_onevision": _Family("<image>", _repeated, is_stacked=False),
    "paligemma": _Family("<image>", _repeated, is_stacked=True),
    "gemma3": _Family("<start_of_image>", _gemma3, is_stacked=True),
    "idefics3": _Family("<image>", _framed, is_stacked=True),
    "smolvlm": _Family("<image>", _framed, is_stacked=True),
}


def encoder_outputs(
    tokens: Tokens | Sequence[Tokens],
    family: str,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> dict[str, Any]:
    """The ``mm_encoder_outputs`` argument of ``generate`` and ``forward`` in transformers 5.

    Args:
        tokens: The embeddings of each image of the request, in order: encode with ``output="embeddings"``.
        family: ``model.config.model_type``.
        device: The tensors' device: ``model.device``. Default: the CPU.
        dtype: The tensors' dtype. Default: the tokens' own; the models cast.

    Raises:
        ValueError: The family is unknown, the tokens are not embeddings of one image each, or the family needs the same
            number of rows for every image.
    """
    images, known = _images(tokens), _family(family)
    with needs("torch", "encoder_outputs", "siglip-hd-client[torch]"):
        import torch
    with needs("transformers", "encoder_outputs", "transformers>=5"):
        from transformers.modeling_outputs import BaseModelOutputWithPooling

    rows = [image.torch(device, dtype) for image in images]
    if not known.is_stacked:
        return {"image": BaseModelOutputWithPooling(pooler_output=rows)}
    if len({image.shape for image in rows}) > 1:
        shapes = ", ".join(str(list(image.shape)) for image in rows)
        raise ValueError(f"{family} needs embeddings of one shape; these are {shapes}.")
    return {"image": BaseModelOutputWithPooling(pooler_output=torch.stack(rows))}


def expand_image_tokens(prompt: str, tokens: Tokens | Sequence[Tokens], family: str) -> str:
    """Expands each image's placeholder in a prompt to one image token a row, as the model's own processor does.

    If the prompt comes from a chat template, tokenize the result with ``add_special_tokens=False``. Gemma 3 also needs
    ``token_type_ids``: see `image_token_types`.

    Args:
        prompt: The text, with one placeholder for each image: ``<image>``, or ``<start_of_image>`` for Gemma 3. For
            PaliGemma they come first, and the function adds ``<bos>`` and the final line feed.
        tokens: The embeddings of each image, in order.
        family: ``model.config.model_type``.

    Raises:
        ValueError: The family is unknown, or the number of placeholders is not the number of images.
    """
    images, known = _images(tokens), _family(family)
    found = prompt.count(known.placeholder)
    if found != len(images):
        raise ValueError(
            f"The prompt has {_count(found, 'placeholder')} for {_count(len(images), 'image')}: "
            f"write {known.placeholder} once for each image."
        )
    if family == "paligemma":
        pictures, text = re.fullmatch(r"((?:.*<image>)?)(.*)", prompt, re.DOTALL).groups()  # type: ignore[union-attr]
        prompt = f"{pictures}<bos>{text}\n"
    counts: Iterator[int] = (image.shape[0] for image in images)
    return re.sub(re.escape(known.placeholder), lambda _: known.expansion(next(counts)), prompt)


def image_token_types(input_ids: torch.Tensor, image_token_id: int) -> torch.Tensor:
    """``token_type_ids`` for Gemma 3: 1 at image tokens. Without them it silently uses causal attention for images.

    Args:
        input_ids: ``(batch, length)``.
        image_token_id: ``model.config.image_token_id``.
    """
    return (input_ids == image_token_id).to(input_ids.dtype)


def inputs_embeds(model: Any, input_ids: torch.Tensor, tokens: Tokens | Sequence[Tokens]) -> torch.Tensor:
    """A prompt's input embeddings, ``(batch, length, hidden)``, with the images' rows at the image tokens.

    For transformers 4, whose ``generate`` takes them instead of ``input_ids``. PaliGemma's rows are scaled as
    transformers 4 scales them.

    Args:
        model: The model; its ``config`` gives the family and the image token.
        input_ids: ``(batch, length)``, with expanded image tokens.
        tokens: The embeddings of each image, in order: encode with ``output="embeddings"``.

    Raises:
        ValueError: The number of image tokens is not the number of rows, or the tokens are not embeddings of one image
            each.
    """
    images = _images(tokens)
    with needs("torch", "inputs_embeds", "siglip-hd-client[torch]"):
        import torch

    embeds = model.get_input_embeddings()(input_ids)
    rows = torch.cat([image.torch(embeds.device, embeds.dtype) for image in images])
    if model.config.model_type == "paligemma":
        rows = rows / rows.shape[-1] ** 0.5
    mask = input_ids == _image_token_id(model.config)
    if int(mask.sum()) != len(rows):
        raise ValueError(f"The prompt has {int(mask.sum())} image tokens for {len(rows)} rows.")
    return embeds.masked_scatter(mask.unsqueeze(-1), rows)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _image_token_id(config: Any) -> int:
    for name in ("image_token_id", "image_token_index"):
        value = getattr(config, name, None)
        if value is not None:
            return int(value)
    raise ValueError(f"The configuration of {config.model_type} has no image token.")


def _family(name: str) -> _Family:
    known = _FAMILIES.get(name)
    if known is None:
        raise ValueError(f"Unknown family {name!r}; use one of {', '.join(_FAMILIES)}.")
    return known


def _images(tokens: Tokens | Sequence[Tokens]) -> list[Tokens]:
    images = [tokens] if isinstance(tokens, Tokens) else list(tokens)
    return [require_rows(image) for image in images]
