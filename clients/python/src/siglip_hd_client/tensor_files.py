"""Writes tokens as .npy, .safetensors and torch.save files, without torch or safetensors."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from .dtypes import DTYPES
from .tokens import Tokens


def npy_file(tokens: Tokens) -> bytes:
    """A .npy file. Raises ValueError for bfloat16, which NumPy lacks."""
    name = DTYPES[tokens.dtype].numpy
    if name is None:
        raise ValueError("A .npy file cannot hold bfloat16.")
    file = io.BytesIO()
    header = {"descr": name, "fortran_order": False, "shape": tokens.shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.write(tokens.data)
    return file.getvalue()


def safetensors_file(tokens: Tokens, name: str) -> list[bytes | bytearray]:
    """A .safetensors file with one tensor, in pieces."""
    size = len(tokens.data)
    entry = {"dtype": DTYPES[tokens.dtype].safetensors, "shape": list(tokens.shape), "data_offsets": [0, size]}
    header = json.dumps({name: entry}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return [struct.pack("<Q", len(header)), header, tokens.data]


def torch_file(tokens: Tokens) -> bytes:
    """A file that ``torch.load(weights_only=True)`` reads as one tensor.

    It is a ZIP of stored entries: a pickle that rebuilds one tensor and nothing else, and the values.
    """
    pickle = _tensor_pickle(tokens.shape, DTYPES[tokens.dtype].torch_storage)
    return _stored_zip(
        [
            ("archive/data.pkl", pickle),
            ("archive/byteorder", b"little"),
            ("archive/data/0", tokens.data),
            ("archive/version", b"3\n"),
        ]
    )


def _tensor_pickle(shape: Sequence[int], storage: str) -> bytes:
    """``_rebuild_tensor_v2(storage "0" on the CPU, 0, shape, strides, False, OrderedDict())``, in protocol 2."""
    strides = [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]
    count = int(np.prod(shape, dtype=np.int64))
    persistent_id = b"(%s%s%s%s%stQ" % (
        _text("storage"),
        _global("torch", storage),
        _text("0"),
        _text("cpu"),
        _int(count),
    )
    sides = b"(%st" % b"".join(map(_int, shape))
    steps = b"(%st" % b"".join(map(_int, strides))
    no_hooks = _global("collections", "OrderedDict") + b")R"
    arguments = b"(%s%s%s%s\x89%st" % (persistent_id, _int(0), sides, steps, no_hooks)
    return b"\x80\x02%s%sR." % (_global("torch._utils", "_rebuild_tensor_v2"), arguments)


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _int(value: int) -> bytes:
    if value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    if value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value)


def _stored_zip(entries: Sequence[tuple[str, bytes | bytearray]]) -> bytes:
    file = io.BytesIO()
    directory = io.BytesIO()
    for name, content in entries:
        encoded, offset = name.encode(), file.tell()
        # Version needed, flags, method, time, date (1 January 1980), CRC-32, sizes, lengths of name and extra field.
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 0x21, zlib.crc32(content), len(content), len(content), len(encoded), 0
        )
        file.write(b"PK\x03\x04" + common + encoded)
        file.write(content)
        directory.write(b"PK\x01\x02" + struct.pack("<H", 20) + common)
        directory.write(struct.pack("<HHHII", 0, 0, 0, 0, offset) + encoded)
    start, size = file.tell(), directory.tell()
    file.write(directory.getvalue())
    file.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), size, start, 0))
    return file.getvalue()
