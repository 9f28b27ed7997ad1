from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from scripted import FIELDS
from siglip_hd_client import Metadata, Model, ServedProjector, Tokens


def tokens(dtype: str = "float16", shape: tuple[int, ...] = (4, 2)) -> Tokens:
    """Tokens of the values 0, 1, 2 and so on."""
    values = np.arange(int(np.prod(shape)))
    if dtype == "bfloat16":
        data = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        data = values.astype({"float16": "<f2", "float32": "<f4"}[dtype]).tobytes()
    return Tokens(bytearray(data), Metadata.from_fields({**FIELDS, "dtype": dtype, "shape": list(shape)}))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numpy_gives_the_values_without_a_copy(dtype: str) -> None:
    given = tokens(dtype)
    array = given.numpy()
    assert array.dtype == dtype
    assert array.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    array[0, 0] = 9
    assert given.numpy()[0, 0] == 9


def test_numpy_refuses_bfloat16_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"call torch\(\), or encode as float16"):
        tokens("bfloat16").numpy()


def test_an_array_is_made_of_tokens_by_numpy_itself() -> None:
    assert np.asarray(tokens()).shape == (4, 2)
    assert np.asarray(tokens(), dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        np.array(tokens(), dtype=np.float64, copy=False)


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_torch_gives_the_values_in_the_same_memory_and_without_a_warning(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    given = tokens(dtype)
    tensor = given.torch()
    assert tensor.dtype == getattr(torch, dtype)
    assert tensor.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    tensor[0, 0] = 9
    assert given.torch()[0, 0] == 9


def test_torch_converts_to_a_device_and_a_dtype() -> None:
    torch = pytest.importorskip("torch")
    tensor = tokens("bfloat16").torch(device="cpu", dtype=torch.float32)
    assert tensor.dtype == torch.float32
    assert tensor[3, 1] == 7


def test_tokens_say_what_they_are() -> None:
    given = tokens()
    assert (given.shape, given.dtype, given.views, given.anyres) == ((4, 2), "float16", 1, None)
    assert (given.grid.width, given.grid.height) == (2, 2)
    assert repr(given).startswith("Tokens(shape=(4, 2), dtype='float16', model='tiny', recipe='encode'")


def test_values_that_do_not_fit_their_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[4, 2\] have 16 bytes, not 14"):
        dataclasses.replace(tokens(), data=bytearray(14))


def test_tokens_travel_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(tokens()))
    assert (copy.numpy() == tokens().numpy()).all()
    assert copy.metadata == tokens().metadata


DIGEST = "sha256:" + "1" * 64


def test_embeddings_name_the_projector_that_made_them_and_features_none() -> None:
    made = {"output": "embeddings", "projector": {"family": "llava-next", "digest": DIGEST}}
    metadata = Metadata.from_fields({**FIELDS, **made})
    assert metadata.output == "embeddings"
    assert metadata.projector == ServedProjector("llava-next", DIGEST)
    assert (tokens().metadata.output, tokens().metadata.projector) == ("features", None)


def test_anyres_embeddings_say_how_many_newline_rows_they_have() -> None:
    geometry = {
        "tile_grid": {"columns": 2, "rows": 1},
        "base_tokens": 4,
        "unpad": {"x": 0, "y": 0, "width": 4, "height": 2},
        "spatial": {"width": 4, "height": 2},
        "resized": False,
    }
    for said, newlines in (({}, 0), ({"newlines": 2}, 2)):
        anyres = Metadata.from_fields({**FIELDS, "anyres": {**geometry, **said}}).anyres
        assert anyres is not None
        assert anyres.newlines == newlines


def test_a_served_model_says_what_its_embeddings_are() -> None:
    fields = {
        "name": "next",
        "digest": DIGEST,
        "architecture": "clip",
        "trained": True,
        "image_size": 336,
        "patch_size": 14,
        "grid": {"width": 24, "height": 24},
        "channels": 1024,
        "layers": 23,
        "features": "penultimate",
        "precision": "fp16",
        "resample": "bicubic",
        "resize": "squash",
    }
    projector = {
        "family": "llava-next",
        "digest": DIGEST,
        "hidden_size": 4096,
        "grid": {"width": 24, "height": 24},
        "any_grid": True,
        "newline": True,
    }
    assert Model.from_fields(fields).projector is None
    found = Model.from_fields({**fields, "projector": projector}).projector
    assert found is not None
    assert (found.family, found.digest, found.hidden_size, found.newline) == ("llava-next", DIGEST, 4096, True)
    assert (found.grid.width, found.grid.height) == (24, 24)
