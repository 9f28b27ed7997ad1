"""Data types of tokens, and each library's name for them."""

from __future__ import annotations

from dataclasses import dataclass

from .metadata import Dtype


@dataclass(frozen=True)
class DtypeNames:
    """A type's size and names.

    Attributes:
        item_bytes: Size of one value.
        numpy: NumPy's name, little-endian; None if NumPy lacks the type.
        torch_storage: The storage class in a torch.save file.
        safetensors: The name in a safetensors header.
    """

    item_bytes: int
    numpy: str | None
    torch_storage: str
    safetensors: str


DTYPES: dict[Dtype, DtypeNames] = {
    "float16": DtypeNames(2, "<f2", "HalfStorage", "F16"),
    "float32": DtypeNames(4, "<f4", "FloatStorage", "F32"),
    "bfloat16": DtypeNames(2, None, "BFloat16Storage", "BF16"),
}
