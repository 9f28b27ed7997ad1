"""Clients on a transport that answers by a script, and on a clock that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pytest

from siglip_hd_client import AsyncClient, Client
from siglip_hd_client.call import Call, EncodeCall, Reply
from siglip_hd_client.steps import Clock

Result = TypeVar("Result")

#: What a script may hold: a reply, an error to fail with, or a function that gives or raises either.
Line = Reply | Exception | Callable[[Call], Reply]

FIELDS: dict[str, Any] = {
    "model": {"name": "tiny", "digest": "sha256:" + "0" * 64, "trained": True},
    "recipe": "encode",
    "features": "last_hidden_state",
    "precision": "fp32",
    "dtype": "float16",
    "shape": [4, 2],
    "grid": {"width": 2, "height": 2},
    "views": 1,
    "images": [{"width": 30, "height": 20}],
}


def reply(**fields: Any) -> Reply:
    """Tokens of four rows and two channels, all 0."""
    return Reply({**FIELDS, **fields}, bytearray(16))


@dataclass
class Timeline:
    """A clock that waiting alone moves."""

    now_s: float = 1000.0
    waits_s: list[float] = field(default_factory=list)
    chance: float = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now_s, chance=lambda: self.chance)

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.now_s += seconds


@dataclass
class Script:
    """Answers calls line by line; the last line answers all that follow."""

    lines: list[Line]
    calls: list[Call] = field(default_factory=list)
    timeouts_s: list[float | None] = field(default_factory=list)

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        self.calls.append(call)
        self.timeouts_s.append(timeout_s)
        line = self.lines[0] if len(self.lines) == 1 else self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line if isinstance(line, Reply) else line(call)

    def close(self) -> None:
        pass

    @property
    def encodes(self) -> list[EncodeCall]:
        return [call for call in self.calls if isinstance(call, EncodeCall)]


@dataclass
class AsyncScript:
    """The same, for asyncio."""

    script: Script

    async def send(self, call: Call, timeout_s: float | None) -> Reply:
        return self.script.send(call, timeout_s)

    async def close(self) -> None:
        pass


class AnyClient(Protocol):
    """The methods that both clients have, whatever they return."""

    def encode(self, image: Any, **options: Any) -> Any: ...
    def plan(self, width: int, height: int, **options: Any) -> Any: ...
    def models(self, **options: Any) -> Any: ...
    def with_options(self, **defaults: Any) -> AnyClient: ...


@dataclass
class Scripted:
    """A client of either kind on a script; `run` waits for what its methods return."""

    client: AnyClient
    script: Script
    timeline: Timeline
    run: Callable[[Any], Any]


class ScriptedFactory(Protocol):
    """Makes clients on scripts."""

    def __call__(self, *lines: Line, chance: float = 0.0, **settings: Any) -> Scripted: ...


@pytest.fixture(params=["sync", "async"])
def scripted(request: pytest.FixtureRequest) -> ScriptedFactory:
    """Each test that asks for it runs with both clients."""
    is_async = request.param == "async"

    def make(*lines: Line, chance: float = 0.0, **settings: Any) -> Scripted:
        script, timeline = Script(list(lines)), Timeline(chance=chance)

        async def sleep(seconds: float) -> None:
            timeline.sleep(seconds)

        client: Any
        if is_async:
            client = AsyncClient(transport=AsyncScript(script), clock=timeline.clock(), sleep=sleep, **settings)
        else:
            client = Client(transport=script, clock=timeline.clock(), sleep=timeline.sleep, **settings)

        def run(value: Any) -> Any:
            return asyncio.run(_awaited(value)) if is_async else value

        return Scripted(client, script, timeline, run)

    return make


async def _awaited(value: Coroutine[Any, Any, Result]) -> Result:
    return await value


def kinds(calls: Iterable[EncodeCall]) -> list[str]:
    """What each call sent: FileImage, PixelImage or Digest."""
    return [type(call.image).__name__ for call in calls]
