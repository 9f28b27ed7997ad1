from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from scripted import ScriptedFactory, kinds, reply
from siglip_hd_client import InvalidArgumentError, NotFoundError
from siglip_hd_client.call import Call, Digest, EncodeCall, Reply, Terms
from siglip_hd_client.images import FileImage
from siglip_hd_client.steps import SentDigests

LARGE = b"\xff\xd8" + b"x" * 100_000


def cached(encoded: set[str]) -> Callable[[Call], Reply]:
    """A service whose cache has what `encoded` says, and what it is sent."""

    def answer(call: Call) -> Reply:
        assert isinstance(call, EncodeCall)
        if isinstance(call.image, Digest):
            if call.image.text not in encoded:
                raise NotFoundError("not in the cache")
        elif isinstance(call.image, FileImage):
            encoded.add(call.image.digest)
        return reply()

    return answer


def test_a_file_that_was_sent_before_is_asked_for_by_its_digest(scripted: ScriptedFactory) -> None:
    s = scripted(cached(set()))
    for _ in range(3):
        s.run(s.client.encode(LARGE))
    assert kinds(s.script.encodes) == ["FileImage", "Digest", "Digest"]
    assert s.script.encodes[1].image == Digest(f"sha256:{hashlib.sha256(LARGE).hexdigest()}")


def test_a_file_that_the_cache_has_lost_is_sent_again(scripted: ScriptedFactory) -> None:
    encoded: set[str] = set()
    s = scripted(cached(encoded))
    s.run(s.client.encode(LARGE))
    encoded.clear()
    assert s.run(s.client.encode(LARGE)).shape == (4, 2)
    s.run(s.client.encode(LARGE))
    assert kinds(s.script.encodes) == ["FileImage", "Digest", "FileImage", "Digest"]


def test_a_file_that_was_sent_with_other_options_is_sent_with_these(scripted: ScriptedFactory) -> None:
    s = scripted(cached(set()))
    s.run(s.client.encode(LARGE))
    s.run(s.client.encode(LARGE, dtype="float32"))
    s.run(s.client.encode(LARGE, dtype="float32"))
    assert kinds(s.script.encodes) == ["FileImage", "FileImage", "Digest"]


def test_small_files_and_pixels_are_always_sent(scripted: ScriptedFactory) -> None:
    s = scripted(reply())
    for image in (b"small", b"small", np.zeros((300, 300, 3), np.uint8), np.zeros((300, 300, 3), np.uint8)):
        s.run(s.client.encode(image))
    assert kinds(s.script.encodes) == ["FileImage", "FileImage", "PixelImage", "PixelImage"]


def test_what_is_not_to_be_stored_is_always_sent(scripted: ScriptedFactory) -> None:
    s = scripted(reply())
    for _ in range(2):
        s.run(s.client.encode(LARGE, no_store=True))
    assert kinds(s.script.encodes) == ["FileImage", "FileImage"]


def test_a_client_can_be_told_to_send_everything(scripted: ScriptedFactory) -> None:
    s = scripted(reply(), digest_first=False)
    for _ in range(2):
        s.run(s.client.encode(LARGE))
    assert kinds(s.script.encodes) == ["FileImage", "FileImage"]


def test_a_file_that_was_refused_does_not_count_as_sent(scripted: ScriptedFactory) -> None:
    s = scripted(InvalidArgumentError("no image"))
    for _ in range(2):
        with pytest.raises(InvalidArgumentError):
            s.run(s.client.encode(LARGE))
    assert kinds(s.script.encodes) == ["FileImage", "FileImage"]


def test_only_the_most_recent_files_are_remembered() -> None:
    sent = SentDigests(most=2)
    calls = [EncodeCall("encode", Digest(f"sha256:{n}"), {}, Terms("id")) for n in range(3)]
    sent.add(calls[0])
    sent.add(calls[1])
    sent.add(calls[0])
    sent.add(calls[2])
    assert [call in sent for call in calls] == [True, False, True]
