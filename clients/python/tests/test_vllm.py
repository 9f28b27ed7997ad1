from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rows import rows, tokens_of
from siglip_hd_client import Tokens
from siglip_hd_client.tensor_files import torch_file
from siglip_hd_client.vllm import image_embeds_part, prompt_embeds_part, rows_uuid, write_encoder_cache


def test_an_image_embeds_part_has_the_rows_as_a_npy_file_in_strict_base64() -> None:
    tokens = rows(5, 7)
    part = image_embeds_part(tokens)
    assert part["type"] == "image_embeds"
    content = base64.b64decode(part["image_embeds"], validate=True)
    assert (np.load(io.BytesIO(content), allow_pickle=False) == tokens.numpy()).all()


def test_an_image_embeds_part_of_bfloat16_has_a_torch_file() -> None:
    tokens = rows(5, 7, "bfloat16")
    assert base64.b64decode(image_embeds_part(tokens)["image_embeds"]) == torch_file(tokens)


def test_a_prompt_embeds_part_has_a_torch_file() -> None:
    tokens = rows(5, 7)
    part = prompt_embeds_part(tokens)
    assert part["type"] == "prompt_embeds"
    assert base64.b64decode(part["data"], validate=True) == torch_file(tokens)


def test_parts_are_json() -> None:
    assert json.loads(json.dumps([image_embeds_part(rows()), prompt_embeds_part(rows())]))


def test_the_uuid_changes_with_whatever_changes_the_rows_and_with_nothing_else() -> None:
    same = [rows_uuid(rows()), rows_uuid(rows())]
    others = [rows_uuid(rows(seed=1)), rows_uuid(rows(dtype="float32")), rows_uuid(rows(dtype="bfloat16"))]
    reshaped = rows_uuid(tokens_of(rows().numpy().reshape(2, 6), "float16"))
    assert len({*same, *others, reshaped}) == 5
    assert image_embeds_part(rows())["uuid"] == same[0]
    assert image_embeds_part(rows(), uuid="mine")["uuid"] == "mine"


@pytest.mark.parametrize(
    "use", [image_embeds_part, prompt_embeds_part, lambda tokens: write_encoder_cache(tokens, ".", "a")]
)
def test_features_and_stacks_are_refused_with_what_to_ask_for(use: Callable[[Tokens], object]) -> None:
    with pytest.raises(ValueError, match='output="embeddings"'):
        use(rows(output="features"))
    with pytest.raises(ValueError, match=r"not \[2, 3, 4\]"):
        use(tokens_of(np.zeros((2, 3, 4))))


def test_the_encoder_cache_has_one_whole_file_for_each_image(tmp_path: Path) -> None:
    for seed in (1, 2):
        written = write_encoder_cache(rows(seed=seed), tmp_path / "ec", "abc123")
    assert written == tmp_path / "ec" / "abc123" / "encoder_cache.safetensors"
    assert [path.name for path in written.parent.iterdir()] == ["encoder_cache.safetensors"]
    assert bytes(rows(seed=2).data) in written.read_bytes()
    assert written.stat().st_mode & 0o777 == 0o644


def test_a_failure_leaves_nothing_in_the_encoder_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_encoder_cache(rows(), tmp_path, "abc123")
    assert list((tmp_path / "abc123").iterdir()) == []


@pytest.mark.parametrize("identifier", ["", "..", "a/b", "../a", ".hidden", "a\0b"])
def test_an_identifier_that_would_leave_the_folder_is_refused(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(ValueError, match=r"becomes a folder.s name"):
        write_encoder_cache(rows(), tmp_path, identifier)
    assert list(tmp_path.iterdir()) == []
