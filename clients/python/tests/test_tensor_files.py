from __future__ import annotations

import io
import json
import pickle
import pickletools
import struct
import zipfile

import numpy as np
import pytest

from rows import rows
from siglip_hd_client.tensor_files import npy_file, safetensors_file, torch_file

DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numpy_reads_the_npy_file_without_pickles(dtype: str) -> None:
    tokens = rows(5, 7, dtype)
    assert (np.load(io.BytesIO(npy_file(tokens)), allow_pickle=False) == tokens.numpy()).all()


def test_a_npy_file_of_bfloat16_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold bfloat16"):
        npy_file(rows(dtype="bfloat16"))


@DTYPES
def test_a_safetensors_file_has_its_one_tensor_at_a_multiple_of_8_bytes(dtype: str) -> None:
    tokens = rows(5, 7, dtype)
    file = b"".join(safetensors_file(tokens, "ec_cache"))
    (header_bytes,) = struct.unpack("<Q", file[:8])
    entry = json.loads(file[8 : 8 + header_bytes])["ec_cache"]
    assert header_bytes % 8 == 0
    assert entry["shape"] == [5, 7]
    assert entry["data_offsets"] == [0, len(tokens.data)]
    assert file[8 + header_bytes :] == tokens.data


@DTYPES
def test_a_torch_file_is_a_zip_that_is_sound_and_not_compressed(dtype: str) -> None:
    tokens = rows(300, 70, dtype)
    with zipfile.ZipFile(io.BytesIO(torch_file(tokens))) as file:
        assert file.testzip() is None
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
        assert file.read("archive/data/0") == tokens.data
        assert file.read("archive/byteorder") == b"little"
        assert file.read("archive/version") == b"3\n"


@DTYPES
def test_a_torch_file_names_nothing_but_torch_s_frame_of_a_tensor(dtype: str) -> None:
    with zipfile.ZipFile(io.BytesIO(torch_file(rows(dtype=dtype)))) as file:
        content = file.read("archive/data.pkl")
    names = [argument for opcode, argument, _ in pickletools.genops(content) if opcode.name == "GLOBAL"]
    storage = {"float16": "HalfStorage", "float32": "FloatStorage", "bfloat16": "BFloat16Storage"}[dtype]
    assert names == ["torch._utils _rebuild_tensor_v2", f"torch {storage}", "collections OrderedDict"]


@pytest.mark.parametrize("shape", [(3, 5), (300, 70), (70_000, 2), (2, 3, 4)])
def test_a_torch_file_says_the_tensor_s_shape_and_strides(shape: tuple[int, ...]) -> None:
    from rows import tokens_of

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            return (lambda *arguments: arguments) if name == "_rebuild_tensor_v2" else super_or_name(module, name)

        def persistent_load(self, identifier: object) -> object:
            return identifier

    def super_or_name(module: str, name: str) -> object:
        return dict if name == "OrderedDict" else f"{module}.{name}"

    with zipfile.ZipFile(io.BytesIO(torch_file(tokens_of(np.zeros(shape, np.float32))))) as file:
        rebuilt = Reader(io.BytesIO(file.read("archive/data.pkl"))).load()
    strides = tuple(side // 4 for side in np.zeros(shape, np.float32).strides)
    storage = ("storage", "torch.FloatStorage", "0", "cpu", int(np.prod(shape)))
    assert rebuilt == (storage, 0, shape, strides, False, {})


@DTYPES
def test_torch_loads_the_torch_file_as_weights_alone(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tokens = rows(300, 70, dtype)
    loaded = torch.load(io.BytesIO(torch_file(tokens)), weights_only=True)
    assert loaded.dtype == getattr(torch, dtype)
    assert torch.equal(loaded, tokens.torch())


@DTYPES
def test_safetensors_loads_the_safetensors_file(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    tokens = rows(300, 70, dtype)
    loaded = safetensors.load(b"".join(safetensors_file(tokens, "ec_cache")))["ec_cache"]
    assert torch.equal(loaded, tokens.torch())
