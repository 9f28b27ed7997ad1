"""Embeddings for SGLang's Engine, in Python. Its HTTP server does not take any.

    llm.generate(input_ids=ids, image_data=[image_data([tokens])])

``input_ids`` must already contain one image token for each row, with other tokens between two images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from .extras import needs
from .rows import require_rows
from .tokens import Tokens

if TYPE_CHECKING:
    import torch


class ImageData(TypedDict):
    """The Engine's form of precomputed embeddings."""

    format: str
    feature: torch.Tensor


def image_data(
    tokens: Tokens | Sequence[Tokens],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> ImageData:
    """The single dict for all images of a request, in the prompt's order.

    Args:
        tokens: The embeddings of each image: encode with ``output="embeddings"``.
        device: The tensor's device. Default: the CPU.
        dtype: The tensor's dtype. Default: the tokens' own.

    Raises:
        ValueError: There are no images, or the tokens are not embeddings of one image each.
    """
    images = [tokens] if isinstance(tokens, Tokens) else list(tokens)
    if not images:
        raise ValueError("There are no images; give at least one.")
    checked = [require_rows(image) for image in images]
    with needs("torch", "siglip_hd_client.sglang", "siglip-hd-client[torch]"):
        import torch

    rows = [image.torch(device, dtype) for image in checked]
    return {"format": "precomputed_embedding", "feature": torch.cat(rows) if len(rows) > 1 else rows[0]}
