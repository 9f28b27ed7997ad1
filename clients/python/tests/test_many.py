from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from scripted import FIELDS, AsyncScript, Script, reply
from siglip_hd_client import AsyncClient, Client, InvalidArgumentError, Item, UnavailableError
from siglip_hd_client.call import Call, EncodeCall, Reply
from siglip_hd_client.images import FileImage


def content(call: Call) -> bytes:
    """The bytes that a call sent."""
    assert isinstance(call, EncodeCall)
    assert isinstance(call.image, FileImage)
    return call.image.data


def fails_on(bad: bytes) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        if content(call) == bad:
            raise InvalidArgumentError("not an image")
        return reply()

    return answer


def gather(line: Reply | Callable[[Call], Reply], images: Any, kind: str, **options: Any) -> list[Item[Any]]:
    """All items, by the client of either kind."""
    script = Script([line])
    if kind == "sync":
        return list(Client(transport=script).encode_many(images, **options))

    async def items() -> list[Item[Any]]:
        return [item async for item in AsyncClient(transport=AsyncScript(script)).encode_many(images, **options)]

    return asyncio.run(items())


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_items_come_in_the_order_of_the_images(kind: str) -> None:
    items = gather(reply(), [b"%d" % n for n in range(50)], kind)
    assert [(item.index, item.image) for item in items] == [(n, b"%d" % n) for n in range(50)]
    assert all(item.tokens.shape == (4, 2) for item in items)


@both
def test_an_image_that_fails_is_an_item_with_an_error_and_the_others_go_on(kind: str) -> None:
    items = gather(fails_on(b"bad"), [b"good", b"bad", b"good"], kind)
    assert [type(item.error) for item in items] == [type(None), InvalidArgumentError, type(None)]
    with pytest.raises(InvalidArgumentError, match="not an image"):
        _ = items[1].tokens


@both
def test_an_image_that_cannot_be_read_is_an_item_with_an_error_too(kind: str) -> None:
    items = gather(reply(), ["/no/such/file.jpg", b"good", 7], kind)
    assert [type(item.error) for item in items] == [FileNotFoundError, type(None), TypeError]


@both
def test_no_images_are_no_items(kind: str) -> None:
    assert gather(reply(), [], kind) == []


@both
@pytest.mark.parametrize("ordered", [True, False])
def test_every_image_has_exactly_one_item(kind: str, ordered: bool) -> None:
    items = gather(fails_on(b"7"), (b"%d" % n for n in range(200)), kind, ordered=ordered, concurrency=5)
    assert sorted(item.index for item in items) == list(range(200))
    assert [item.index for item in items if item.error is not None] == [7]


def test_as_many_are_under_way_as_is_asked_for_and_no_more() -> None:
    barrier, under_way, lock, most = threading.Barrier(4, timeout=20), 0, threading.Lock(), 0

    def answer(_: Call) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        # Opens when four are here together.
        barrier.wait()
        with lock:
            under_way -= 1
        return reply()

    gather(answer, [b"x"] * 16, "sync", concurrency=4)
    assert most == 4


def test_out_of_order_a_slow_image_does_not_hold_up_the_others() -> None:
    others_are_done = threading.Event()

    def answer(call: Call) -> Reply:
        if content(call) == b"0":
            assert others_are_done.wait(20)
        return reply()

    indexes = []
    images = (b"%d" % n for n in range(10))
    for item in Client(transport=Script([answer])).encode_many(images, concurrency=2, ordered=False):
        indexes.append(item.index)
        if len(indexes) == 9:
            others_are_done.set()
    assert indexes[-1] == 0


@both
def test_images_are_taken_no_faster_than_items_are(kind: str) -> None:
    taken = 0

    def images() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"x"

    script = Script([reply()])
    if kind == "sync":
        items = iter(Client(transport=script).encode_many(images(), concurrency=4))
        for _ in range(10):
            next(items)
    else:

        async def some() -> None:
            stream = AsyncClient(transport=AsyncScript(script)).encode_many(images(), concurrency=4)
            for _ in range(10):
                await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]

        asyncio.run(some())
    assert taken <= 10 + 2 * 4


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    megabyte = Reply({**FIELDS, "shape": [1024, 512]}, bytearray(2**20))

    def answer(_: Call) -> Reply:
        return Reply(megabyte.fields, bytearray(megabyte.data))

    tracemalloc.start()
    try:
        for item in Client(transport=Script([answer])).encode_many((b"%d" % n for n in range(500)), concurrency=4):
            assert item.tokens.shape == (1024, 512)
            del item
        gc.collect()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 30 * 2**20


def test_a_slow_source_does_not_hold_back_what_is_finished() -> None:
    def images() -> Iterator[bytes]:
        yield b"first"
        # Waits until the first has been answered, which a client that only takes would never let happen.
        deadline = time.monotonic() + 20
        while not script.calls:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(0.1)
        yield b"second"
        assert taken == [0], "the first item was there and was not given"

    taken: list[int] = []
    script = Script([reply()])
    for item in Client(transport=script).encode_many(images(), concurrency=8):
        taken.append(item.index)
    assert taken == [0, 1]


@both
def test_a_slow_caller_does_not_leave_the_service_without_work(kind: str) -> None:
    taken, full = 0, threading.Event()

    def images() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            if taken == 8:
                full.set()
            yield b"x"

    class Gated(AsyncScript):
        async def send(self, call: Call, timeout_s: float | None) -> Reply:
            while not full.is_set():
                await asyncio.sleep(0)
            return await super().send(call, timeout_s)

    def answer(_: Call) -> Reply:
        assert full.wait(20)
        return reply()

    def check(count: int) -> None:
        # All answers are there, and yet every item that the caller takes makes room for one more image.
        assert taken == count + 7

    script = Script([answer])
    if kind == "sync":
        items = iter(Client(transport=script).encode_many(images(), concurrency=4))
        for count in range(1, 40):
            next(items)
            check(count)
            deadline = time.monotonic() + 20
            while len(script.calls) < taken:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        items.close()  # type: ignore[attr-defined]
        return

    async def some() -> None:
        stream = AsyncClient(transport=Gated(script)).encode_many(images(), concurrency=4)
        for count in range(1, 40):
            await anext(stream)
            check(count)
            while len(script.calls) < taken:
                await asyncio.sleep(0.001)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(some(), 60))


def test_whoever_stops_early_has_nothing_new_begun() -> None:
    script = Script([reply()])
    for item in Client(transport=script).encode_many([b"x"] * 1000, concurrency=2):
        if item.index == 3:
            break
    sent = len(script.calls)
    assert sent <= 3 + 1 + 2 * 2


def test_an_image_that_waits_to_be_retried_is_not_sent_again_when_nobody_waits_for_it() -> None:
    slept, go_on = threading.Event(), threading.Event()
    tries = 0

    def answer(call: Call) -> Reply:
        nonlocal tries
        if content(call) == b"good":
            return reply()
        tries += 1
        raise UnavailableError("down")

    def sleep(_: float) -> None:
        slept.set()
        assert go_on.wait(20)

    client = Client(transport=Script([answer]), sleep=sleep)
    items = iter(client.encode_many([b"bad", b"good"], concurrency=2, ordered=False))
    assert next(items).image == b"good"
    assert slept.wait(20)
    items.close()  # type: ignore[attr-defined]
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("siglip-hd"):
            thread.join(20)
    assert tries == 1


def test_async_images_may_come_from_an_async_source() -> None:
    async def images() -> AsyncIterator[bytes]:
        for n in range(20):
            await asyncio.sleep(0)
            yield b"%d" % n

    async def items() -> list[int]:
        client = AsyncClient(transport=AsyncScript(Script([reply()])))
        return [item.index async for item in client.encode_many(images(), concurrency=3)]

    assert asyncio.run(items()) == list(range(20))


def test_an_async_loop_that_ends_early_cancels_what_is_under_way() -> None:
    begun = 0
    cancelled = 0
    all_begun = asyncio.Event()

    class Slow(AsyncScript):
        async def send(self, call: Call, timeout_s: float | None) -> Reply:
            nonlocal begun, cancelled
            if content(call) == b"0":
                await all_begun.wait()
                return reply()
            begun += 1
            if begun == 3:
                all_begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled += 1
                raise
            raise AssertionError

    async def first() -> None:
        stream = AsyncClient(transport=Slow(Script([]))).encode_many([b"%d" % n for n in range(4)], concurrency=4)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(first())
    assert cancelled == 3


@both
def test_an_unknown_option_is_an_error_before_any_image_is_taken(kind: str) -> None:
    with pytest.raises(TypeError, match="'scales' is not an option of encode"):
        gather(reply(), [b"x"], kind, scales=(512,))
    with pytest.raises(ValueError, match="concurrency is 0"):
        gather(reply(), [b"x"], kind, concurrency=0)


@both
def test_an_error_of_the_source_is_raised_and_not_made_an_item(kind: str) -> None:
    def images() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        gather(reply(), images(), kind)
