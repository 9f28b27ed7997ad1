from __future__ import annotations

import base64
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from rows import rows
from scripted import Script
from siglip_hd_client import Client, InternalError, InvalidArgumentError
from siglip_hd_client.call import EncodeCall, PlanCall, Reply

torch = pytest.importorskip("torch")

Raw = TypeVar("Raw")
Item = TypeVar("Item")
Artifact = TypeVar("Artifact")


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An encoder under a stand-in for Dynamo's contract: the two names that it imports."""

    @dataclass(frozen=True)
    class Preprocessed(Generic[Item]):
        item: Item
        cost: int = 1

    class VisionEncoderBackend(Generic[Raw, Item, Artifact]):
        preprocess_concurrency = 0

    name = "dynamo.vllm.multimodal_utils.vision_encoder_backend"
    module = types.ModuleType(name)
    module.__dict__.update(Preprocessed=Preprocessed, VisionEncoderBackend=VisionEncoderBackend)
    for part in ("dynamo", "dynamo.vllm", "dynamo.vllm.multimodal_utils"):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "siglip_hd_client.dynamo", raising=False)
    from siglip_hd_client.dynamo import SiglipHdEncoder

    class Encoder(SiglipHdEncoder):
        image_token_id = 7
        recipe = "anyres"
        options = {"model": "next"}  # noqa: RUF012

    yield Encoder()
    monkeypatch.delitem(sys.modules, "siglip_hd_client.dynamo", raising=False)


def on_script(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    monkeypatch.setattr("siglip_hd_client.dynamo.Client", lambda url: Client(url, transport=script, max_retries=0))


def answer(call: Any) -> Reply:
    tokens = rows(5, 3, "bfloat16")
    fields = {
        "model": {"name": "next", "digest": "", "trained": True},
        "recipe": "anyres",
        "output": "embeddings",
        "features": "penultimate",
        "precision": "fp32",
        "dtype": "bfloat16",
        "shape": [5, 3],
        "grid": {"width": 2, "height": 2},
        "views": 1,
    }
    if isinstance(call, PlanCall):
        return Reply({"metadata": fields, "tokens": 5, "size_bytes": 30})
    return Reply(fields, tokens.data)


def test_each_image_is_one_encode_and_its_rows_are_the_batch_s_result(
    encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([answer])
    on_script(monkeypatch, script)
    encoder.build("my/model")
    made = encoder.preprocess("data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8 data").decode())
    assert made.cost == 5
    (result,) = encoder.forward_batch([made.item])
    assert torch.equal(result, rows(5, 3, "bfloat16").torch())
    plan, encode = script.calls
    assert isinstance(plan, PlanCall)
    assert isinstance(encode, EncodeCall)
    assert plan.options == encode.options == {"model": "next", "dtype": "bfloat16", "output": "embeddings"}
    assert encode.image.body == b"\xff\xd8 data"  # type: ignore[union-attr]
    encoder.close()


def test_an_image_that_is_at_fault_is_a_value_error_and_a_service_that_is_is_not(
    encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_script(monkeypatch, Script([answer, InvalidArgumentError("No image."), InternalError("Broken.")]))
    encoder.build("my/model")
    with pytest.raises(ValueError, match=r"No image\."):
        encoder.preprocess("data:,x")
    with pytest.raises(InternalError):
        encoder.preprocess("data:,x")


@pytest.mark.parametrize("raw", ["https://example.com/a.jpg", "data:image/png;base64,&&&", "/etc/passwd"])
def test_what_is_no_data_url_is_refused(encoder: Any, raw: str) -> None:
    with pytest.raises(ValueError, match="data: URL"):
        encoder.load(raw)


def test_a_service_without_such_embeddings_fails_at_the_start(encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    on_script(monkeypatch, Script([InvalidArgumentError("The model has no projector.")]))
    with pytest.raises(InvalidArgumentError):
        encoder.build("my/model")
