"""Visual tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .dtypes import DTYPES
from .extras import needs
from .metadata import AnyResGeometry, Dtype, Metadata, Size, Source, Timings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False, repr=False)
class Tokens:
    """The tokens of one image.

    Attributes:
        data: The values, little-endian and row-major. `numpy` and `torch` share this memory.
        metadata: Describes them: model, recipe, shape, layout.
        timings: The time that each stage took in the service.
        source: ``hit`` in the service's cache, ``joined`` to another request's work, or ``miss``.
        request_id: The request's id in the service's log.
    """

    data: bytearray
    metadata: Metadata
    timings: Timings = field(default_factory=Timings)
    source: Source | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        wanted_bytes = math.prod(self.shape) * DTYPES[self.dtype].item_bytes
        if len(self.data) != wanted_bytes:
            shape = list(self.shape)
            raise ValueError(f"{self.dtype} tokens of shape {shape} have {wanted_bytes} bytes, not {len(self.data)}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """``(tokens, channels)``, ``(views, tokens, channels)`` with ``assembly="tiles"``, ``(channels,)`` pooled."""
        return self.metadata.shape

    @property
    def dtype(self) -> Dtype:
        """``float16``, ``float32`` or ``bfloat16``."""
        return self.metadata.dtype

    @property
    def grid(self) -> Size:
        """Tokens across and down; for AnyRes, of the base view."""
        return self.metadata.grid

    @property
    def views(self) -> int:
        """The number of views that the model encoded for the image."""
        return self.metadata.views

    @property
    def anyres(self) -> AnyResGeometry | None:
        """The layout of AnyRes tokens; None for other recipes."""
        return self.metadata.anyres

    def numpy(self) -> npt.NDArray[Any]:
        """The tokens as an array of `shape`, float16 or float32, without a copy.

        Raises:
            TypeError: The tokens are bfloat16, which NumPy lacks.
        """
        name = DTYPES[self.dtype].numpy
        if name is None:
            raise TypeError("NumPy has no bfloat16; call torch(), or encode as float16 or float32.")
        return np.frombuffer(self.data, name).reshape(self.shape)

    def torch(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> torch.Tensor:
        """The tokens as a tensor of `shape`.

        It shares the tokens' memory unless ``device`` or ``dtype`` requires a copy. Needs torch
        (``pip install 'siglip-hd-client[torch]'``).
        """
        with needs("torch", "tokens.torch()", "siglip-hd-client[torch]"):
            import torch

        values = torch.frombuffer(self.data, dtype=getattr(torch, self.dtype))
        return values.reshape(self.shape).to(device=device, dtype=dtype)

    def __repr__(self) -> str:
        made = f"model={self.metadata.model.name!r}, recipe={self.metadata.recipe!r}, output={self.metadata.output!r}"
        return f"Tokens(shape={self.shape}, dtype={self.dtype!r}, {made}, source={self.source!r})"

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self.numpy()
        if dtype is not None and array.dtype != np.dtype(dtype):
            if copy is False:
                raise ValueError(f"{self.dtype} tokens cannot be {np.dtype(dtype)} without a copy.")
            return array.astype(dtype)
        return array.copy() if copy else array
