"""The types that tokens come in, as each library names them."""

from __future__ import annotations

from dataclasses import dataclass

from .metadata import Dtype


@dataclass(frozen=True)
class DtypeNames:
    """One type's size and names.

    Attributes:
        item_bytes: Of one value.
        numpy: NumPy's name, little-endian; None where it has no such type.
        torch_storage: The class that a torch.save file names for the values.
        safetensors: Its name in a safetensors header.
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
