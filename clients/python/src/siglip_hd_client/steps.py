"""The steps of a call, as generators that yield calls to send and times to wait.

A driver, sync or async, runs the steps: it sends the reply to a `Send` into the generator, or throws the SiglipHdError.
So retries, deadlines and digests have one implementation for both clients.
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
    """Send a call once, with a timeout."""

    call: Call
    timeout_s: float | None


@dataclass(frozen=True)
class Wait:
    """Wait."""

    seconds: float


Steps: TypeAlias = Generator[Send | Wait, Reply | None, Result]


@dataclass(frozen=True)
class Clock:
    """Time and randomness."""

    now: Callable[[], float]
    chance: Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """How long and how often to try a call.

    Attributes:
        deadline: The clock's time by which the call must end; None for no limit.
        max_retries: Attempts after the first.
    """

    deadline: float | None
    max_retries: int


def with_retries(call: Call, limits: Limits, clock: Clock) -> Steps[Reply]:
    """Sends a call until it succeeds, fails permanently, or reaches a limit."""
    retries = 0
    while True:
        left_s = None if limits.deadline is None else limits.deadline - clock.now()
        if left_s is not None and left_s <= 0:
            raise CallTimeoutError(
                "The timeout expired before the client sent the call.", request_id=call.terms.request_id
            )
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
    """Like `with_retries`, but for a file that was sent before, sends its digest first and the file on a cache miss."""
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


#: Sending a smaller file costs no more than asking by digest, and the service still finds it in its cache.
_SMALLEST_FILE_BYTES = 64 * 1024
_MOST_DIGESTS = 10_000


def _is_worth_a_digest(call: EncodeCall) -> bool:
    image = call.image
    return not call.terms.no_store and isinstance(image, FileImage) and len(image.data) >= _SMALLEST_FILE_BYTES


class SentDigests:
    """The files most recently sent, each with its options. Thread-safe."""

    def __init__(self, most: int = _MOST_DIGESTS) -> None:
        self._most = most
        self._keys: dict[int, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, call: EncodeCall) -> bool:
        with self._lock:
            return _key(call) in self._keys

    def add(self, call: EncodeCall) -> None:
        """Remembers a call by digest, and forgets the oldest beyond the limit."""
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
    # Hashes may collide; the service then misses the digest, and the client sends the file.
    return hash((call.recipe, call.image, repr(sorted(call.options.items(), key=lambda option: option[0]))))
