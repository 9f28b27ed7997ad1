from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripted import AsyncScript, Script, ScriptedFactory, reply
from siglip_hd_client import AsyncClient, Client
from siglip_hd_client.call import Call, Reply


@pytest.mark.parametrize(
    ("recipe", "options", "sentence"),
    [
        ("any", {}, "recipe is 'any'; use one of encode, teacher, anyres."),
        ("enc", {}, "recipe is 'enc'; use one of encode, teacher, anyres."),
        ("anyres", {"max_grid": 3}, 'max_grid is 3; it must be columns and rows, such as (2, 2) or "2x2".'),
        ("anyres", {"max_grid": "2,2"}, "max_grid is '2,2'; it must be columns and rows"),
        ("anyres", {"max_grid": (1, 2, 3)}, "max_grid is (1, 2, 3); it must be columns and rows"),
        ("anyres", {"max_tiles": "4"}, "max_tiles is '4'; it must be a whole number."),
        ("anyres", {"resample": 3}, "resample is 3; it must be a string."),
        ("teacher", {"scales": 56}, "scales is 56; it must be a sequence of whole numbers, such as (512, 1024)."),
        ("teacher", {"scales": "512"}, "scales is '512'; it must be a sequence of whole numbers"),
        ("teacher", {"weights": 1.0}, "weights is 1.0; it must be a sequence of numbers, such as (1, 3)."),
        ("teacher", {"grid": 16}, "grid is 16; it must be columns and rows"),
        ("encode", {"model": 7}, "model is 7; it must be a string."),
        (
            "encode",
            {"features": -3},
            'features is -3; it must be a name, or a sequence of names, such as ("penultimate", "-3").',
        ),
        ("encode", {"features": (-3,)}, "features is (-3,); it must be a name, or a sequence of names"),
        ("encode", {"class_token": "true"}, "class_token is 'true'; it must be True or False."),
        ("encode", {"timeout": -1}, "timeout is -1; it must be a number of seconds, or None for no limit."),
        ("encode", {"timeout": float("nan")}, "timeout is nan; it must be a number of seconds"),
        ("encode", {"timeout": "5"}, "timeout is '5'; it must be a number of seconds"),
        ("encode", {"max_retries": -1}, "max_retries is -1; it must be a whole number, 0 or more."),
        ("encode", {"max_retries": None}, "max_retries is None; it must be a whole number, 0 or more."),
    ],
)
def test_a_wrong_value_is_a_sentence_before_anything_is_sent(
    scripted: ScriptedFactory, recipe: Any, options: dict[str, Any], sentence: str
) -> None:
    s = scripted(reply())
    script = Script([reply()])
    for ask in (
        lambda: s.run(s.client.plan(64, 64, recipe=recipe, **options)),
        lambda: Client(transport=script).encode_many([b"image"], recipe=recipe, **options),
        lambda: AsyncClient(transport=AsyncScript(script)).encode_many([b"image"], recipe=recipe, **options),
    ):
        with pytest.raises(ValueError, match=r"; (it must be|use one of) ") as caught:
            ask()
        assert str(caught.value).startswith(sentence)
    assert s.script.calls == script.calls == []


def test_a_default_with_a_wrong_value_is_refused_when_the_client_is_made() -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="timeout is -1"):
            kind(timeout=-1)


@pytest.mark.parametrize("request_id", ["a\n", "a b", "\u00e4", "a" * 129, 7])
def test_a_request_id_that_no_header_can_carry_is_refused(scripted: ScriptedFactory, request_id: Any) -> None:
    s = scripted(reply())
    with pytest.raises(ValueError, match="it must be 1 to 128 visible ASCII characters"):
        s.run(s.client.models(request_id=request_id))


def test_sides_may_be_written_as_over_http(scripted: ScriptedFactory) -> None:
    sides = []

    def plan(call: Call) -> Reply:
        sides.append(call.options["max_grid"])  # type: ignore[union-attr]
        return Reply({"metadata": reply().fields, "tokens": 4, "size_bytes": 16})

    s = scripted(plan)
    for value in ("2x3", (2, 3), [2, 3], np.array([2, 3])):
        s.run(s.client.plan(64, 64, recipe="anyres", max_grid=value))
    assert sides == [(2, 3)] * 4


@pytest.mark.parametrize(
    "image", ["photo.jpg", Path("photo.jpg"), b"image", bytearray(1), io.BytesIO(b"image"), np.zeros((8, 8, 3), "u1")]
)
def test_one_image_is_not_taken_for_many(image: Any) -> None:
    script = Script([reply()])
    for ask in (Client(transport=script).encode_many, AsyncClient(transport=AsyncScript(script)).encode_many):
        with pytest.raises(TypeError, match=r"encode_many takes several images, not one \w+: pass a list"):
            ask(image)


def test_a_stack_of_pixels_is_many_images() -> None:
    items = Client(transport=Script([reply()])).encode_many(np.zeros((3, 8, 8, 3), np.uint8))
    assert [item.error for item in items] == [None] * 3
