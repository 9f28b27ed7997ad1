"""Rows after a projector, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from scripted import FIELDS
from siglip_hd_client import Metadata, Tokens


def rows(count: int = 4, hidden: int = 3, dtype: str = "float16", *, seed: int = 0, **fields: Any) -> Tokens:
    """``(count, hidden)`` random embeddings."""
    values = np.random.default_rng(seed).standard_normal((count, hidden)).astype("<f4")
    return tokens_of(values, dtype, **fields)


def tokens_of(values: Any, dtype: str = "float32", **fields: Any) -> Tokens:
    """An array as embeddings of a dtype."""
    values = np.asarray(values, "<f4")
    if dtype == "bfloat16":
        data = (values.view("<u4") >> 16).astype("<u2").tobytes()
    else:
        data = values.astype({"float16": "<f2", "float32": "<f4"}[dtype]).tobytes()
    said = {**FIELDS, "output": "embeddings", "dtype": dtype, "shape": list(values.shape), **fields}
    return Tokens(bytearray(data), Metadata.from_fields(said))
