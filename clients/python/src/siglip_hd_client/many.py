"""Encodes many images concurrently, in bounded memory, with an error for each image that fails."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from .tokens import Tokens

Image = TypeVar("Image")


@dataclass(frozen=True)
class Item(Generic[Image]):
    """The result for one image.

    Attributes:
        index: The image's position in the input, from 0.
        image: The image as passed.
        error: A `SiglipHdError`, or an OSError, TypeError or ValueError from reading the image; None on success.
    """

    index: int
    image: Image
    error: Exception | None
    _tokens: Tokens | None

    @property
    def tokens(self) -> Tokens:
        """The image's tokens. Raises ``error`` if there is one."""
        if self.error is not None:
            raise self.error
        assert self._tokens is not None
        return self._tokens


class Stopped(Exception):  # noqa: N818 - internal, and not an error
    """The consumer has stopped iterating."""


def in_threads(
    images: Iterable[Image],
    encode: Callable[[Image, threading.Event], Tokens],
    *,
    concurrency: int,
    ordered: bool,
) -> Iterator[Item[Image]]:
    """Encodes images in `concurrency` threads.

    The caller's thread reads the iterable when there is room. At most twice `concurrency` images are in flight, or
    finished and not yet yielded. When the caller stops early, `encode`'s event is set, and calls in flight end in the
    background.
    """
    stopped = threading.Event()

    def work(index: int, image: Image) -> Item[Image]:
        if stopped.is_set():
            raise Stopped
        try:
            return Item(index, image, None, encode(image, stopped))
        except Exception as error:
            return Item(index, image, error, None)

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="siglip-hd")
    held: deque[Future[Item[Image]]] = deque()
    try:
        for index, image in enumerate(images):
            held.append(pool.submit(work, index, image))
            # One item an image: results that wait for a slow caller must not empty the pipeline.
            if len(held) >= 2 * concurrency or _is_ready(held, ordered):
                yield _take(held, ordered)
        while held:
            yield _take(held, ordered)
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _is_ready(held: Iterable[Future[Any]] | Iterable[asyncio.Task[Any]], ordered: bool) -> bool:
    """Whether the next result is available."""
    ready = (one.done() for one in held)
    return next(ready, False) if ordered else any(ready)


def _take(held: deque[Future[Item[Image]]], ordered: bool) -> Item[Image]:
    """Waits for the next result: the oldest, or the first to finish."""
    if ordered:
        return held.popleft().result()
    done = wait(held, return_when=FIRST_COMPLETED).done
    # The oldest of those that have finished.
    first = next(future for future in held if future in done)
    held.remove(first)
    return first.result()


async def in_tasks(
    images: Iterable[Image] | AsyncIterable[Image],
    encode: Callable[[Image], Awaitable[Tokens]],
    *,
    concurrency: int,
    ordered: bool,
) -> AsyncIterator[Item[Image]]:
    """Like `in_threads`, in asyncio tasks, which are cancelled when the caller stops early."""
    room = asyncio.Semaphore(concurrency)

    async def work(index: int, image: Image) -> Item[Image]:
        async with room:
            try:
                return Item(index, image, None, await encode(image))
            except Exception as error:
                return Item(index, image, error, None)

    held: deque[asyncio.Task[Item[Image]]] = deque()
    try:
        index = 0
        async for image in _async_iterator(images):
            held.append(asyncio.create_task(work(index, image)))
            index += 1
            # Starts the task even if the caller never awaits anything else.
            await asyncio.sleep(0)
            if len(held) >= 2 * concurrency or _is_ready(held, ordered):
                yield await _take_task(held, ordered)
        while held:
            yield await _take_task(held, ordered)
    finally:
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def _take_task(held: deque[asyncio.Task[Item[Image]]], ordered: bool) -> Item[Image]:
    if not ordered:
        done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in held if task in done)
        held.remove(first)
        held.appendleft(first)
    # Keep it in `held` while awaiting it, so that it is cancelled with the others.
    item = await held[0]
    held.popleft()
    return item


async def _async_iterator(images: Iterable[Image] | AsyncIterable[Image]) -> AsyncIterator[Image]:
    if hasattr(images, "__aiter__"):
        async for image in cast("AsyncIterable[Image]", images):
            yield image
    else:
        for image in images:
            yield image
