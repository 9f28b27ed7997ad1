"""Visual tokens for SGLang's Engine, in Python. Its HTTP server takes none.

    llm.generate(input_ids=ids, image_data=[image_data([tokens])])

``input_ids`` must hold the image token once for each row already, and two images must not touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from .rows import require_rows
from .tokens import Tokens

if TYPE_CHECKING:
    import torch


class ImageData(TypedDict):
    """What the Engine takes in place of a request's images."""

    format: str
    feature: torch.Tensor


def image_data(
    tokens: Tokens | Sequence[Tokens],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> ImageData:
    """The one dict that stands for all images of a request, in their order in the prompt.

    Args:
        tokens: Rows after the projector, of each image: encode with ``output="embeddings"``.
        device: Where the rows are put. Default: the CPU.
        dtype: What they are turned into. Default: what they are.

    Raises:
        ValueError: There is no image, or tokens are features, or not of one image each.
    """
    import torch

    images = [tokens] if isinstance(tokens, Tokens) else list(tokens)
    if not images:
        raise ValueError("There is no image.")
    rows = [require_rows(image).torch(device, dtype) for image in images]
    return {"format": "precomputed_embedding", "feature": torch.cat(rows) if len(rows) > 1 else rows[0]}
