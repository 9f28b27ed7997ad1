"""What a call does, without doing it: generators that yield requests to send and times to wait.

A driver carries the steps out, sync or async, over any transport: it sends a `Send`'s reply back into the generator, or
throws the SiglipHdError that it failed with. Retries, deadlines and digests are so written once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from .call import Call, EncodeCall, Reply
from .errors import CallTimeoutError, NotFoundError, SiglipHdError
from .images import FileImage
from .retry import wait_before_retry

Result = TypeVar("Result")


@dataclass(frozen=True)
class Send:
    """Send a request, once, and give up after the time."""

    call: Call
    timeout_s: float | None


@dataclass(frozen=True)
class Wait:
    """Let time pass."""

    seconds: float


Steps: TypeAlias = Generator[Send | Wait, Reply | None, Result]


@dataclass(frozen=True)
class Clock:
    """Time and chance."""

    now: Callable[[], float]
    chance: Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """How long, and how often, a call is tried.

    Attributes:
        deadline: When the call ends, by the clock; None for never.
        max_retries: Tries after the first.
    """

    deadline: float | None
    max_retries: int


def with_retries(call: Call, limits: Limits, clock: Clock) -> Steps[Reply]:
    """Sends a call until it is answered, its error is one that stays, or a limit is reached."""
    retries = 0
    while True:
        left_s = None if limits.deadline is None else limits.deadline - clock.now()
        if left_s is not None and left_s <= 0:
            raise CallTimeoutError("The timeout ended before the call was sent.", request_id=call.terms.request_id)
        try:
            reply = yield Send(call, left_s)
        except SiglipHdError as error:
            wait_s = wait_before_retry(error, retries, clock.chance()) if retries < limits.max_retries else None
            if wait_s is None or (limits.deadline is not None and clock.now() + wait_s >= limits.deadline):
                raise
        else:
            assert reply is not None
            return reply
        yield Wait(wait_s)
        retries += 1


def digest_first(call: EncodeCall, sent: SentDigests, limits: Limits, clock: Clock) -> Steps[Reply]:
    """The same, but of a file that was sent before the digest goes first, and the file where the cache has it not."""
    short = call.by_digest() if _is_worth_a_digest(call) else None
    if short is not None and short in sent:
        try:
            return (yield from with_retries(short, limits, clock))
        except NotFoundError:
            sent.discard(short)
    reply = yield from with_retries(call, limits, clock)
    if short is not None:
        sent.add(short)
    return reply


#: Below this a file is as quickly sent as asked for, and the service looks it up all the same.
_SMALLEST_FILE_BYTES = 64 * 1024
_MOST_DIGESTS = 10_000


def _is_worth_a_digest(call: EncodeCall) -> bool:
    image = call.image
    return not call.terms.no_store and isinstance(image, FileImage) and len(image.data) >= _SMALLEST_FILE_BYTES


class SentDigests:
    """What the service has been sent, with which options: the most recent, and safe to use from any thread."""

    def __init__(self, most: int = _MOST_DIGESTS) -> None:
        self._most = most
        self._keys: dict[int, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, call: EncodeCall) -> bool:
        with self._lock:
            return _key(call) in self._keys

    def add(self, call: EncodeCall) -> None:
        """Remembers a call by digest, and forgets the oldest where there are too many."""
        with self._lock:
            self._keys.pop(_key(call), None)
            self._keys[_key(call)] = None
            while len(self._keys) > self._most:
                del self._keys[next(iter(self._keys))]

    def discard(self, call: EncodeCall) -> None:
        """Forgets a call."""
        with self._lock:
            self._keys.pop(_key(call), None)


def _key(call: EncodeCall) -> int:
    # A hash may collide; what is wrongly thought sent is then sent after all.
    return hash((call.recipe, call.image, repr(sorted(call.options.items(), key=lambda option: option[0]))))
