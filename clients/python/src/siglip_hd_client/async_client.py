"""The asyncio client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .call import AsyncTransport
from .connection import Connection, connection_of, missing_grpc
from .errors import SiglipHdError
from .http_transport import AsyncHttpTransport
from .images import ImageInput, require_several
from .many import Item, in_tasks
from .metadata import Plan, Recipe, Size
from .models import Model
from .options import AnyOptions, AnyResOptions, CallOptions, EncodeOptions, TeacherOptions
from .session import SYSTEM_CLOCK, Session
from .steps import Clock, SentDigests, Steps, Wait
from .tokens import Tokens

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Result = TypeVar("Result")
Image = TypeVar("Image", bound=ImageInput)


class AsyncClient:
    """`Client` for asyncio, with the same arguments, methods and errors.

        async with AsyncClient("http://localhost:8080") as client:
            tokens = await client.encode("photo.jpg")

    Worker threads read files and compute digests.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        cert_file: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        digest_first: bool = True,
        transport: AsyncTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **defaults: Unpack[EncodeOptions],
    ) -> None:
        connection = connection_of(url, api_key, ca_file, cert_file, key_file, headers)
        self.url = connection.url
        self._transport = transport or _transport(connection)
        self._sleep = sleep
        self._session = Session(
            defaults=cast(CallOptions, defaults), sent=SentDigests() if digest_first else None, clock=clock
        )
        self._session.check("encode", defaults)

    async def encode(self, image: ImageInput, **options: Unpack[EncodeOptions]) -> Tokens:
        """See `Client.encode`."""
        return await self._encode("encode", image, options)

    async def teacher_encode(self, image: ImageInput, **options: Unpack[TeacherOptions]) -> Tokens:
        """See `Client.teacher_encode`."""
        return await self._encode("teacher", image, options)

    async def anyres_encode(self, image: ImageInput, **options: Unpack[AnyResOptions]) -> Tokens:
        """See `Client.anyres_encode`."""
        return await self._encode("anyres", image, options)

    def encode_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        recipe: Recipe = "encode",
        concurrency: int = 8,
        ordered: bool = True,
        **options: Unpack[AnyOptions],
    ) -> AsyncIterator[Item[Image]]:
        """See `Client.encode_many`. ``images`` may also be an async iterable.

        Closing the iterator cancels the images in flight. After a ``break``, use ``contextlib.aclosing`` to close it at
        once; otherwise Python closes it when it is garbage-collected.
        """
        require_several(images)
        self._session.check(recipe, options)
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be 1 or more.")
        return in_tasks(
            images,
            lambda image: self._encode(recipe, image, options),
            concurrency=concurrency,
            ordered=ordered,
        )

    async def plan(self, width: int, height: int, *, recipe: Recipe = "encode", **options: Unpack[AnyOptions]) -> Plan:
        """See `Client.plan`."""
        return await self._run(self._session.plan(recipe, Size(width, height), options))

    async def models(self, **options: Unpack[CallOptions]) -> tuple[Model, ...]:
        """See `Client.models`."""
        return await self._run(self._session.models(options))

    def with_options(self, **defaults: Unpack[EncodeOptions]) -> AsyncClient:
        """See `Client.with_options`."""
        other = object.__new__(AsyncClient)
        other.__dict__.update(self.__dict__)
        other._session = self._session.with_defaults(defaults)
        other._session.check("encode", defaults)
        return other

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _encode(self, recipe: Recipe, image: ImageInput, options: Mapping[str, Any]) -> Tokens:
        steps = await asyncio.to_thread(self._session.encode, recipe, image, options)
        return await self._run(steps)

    async def _run(self, steps: Steps[Result]) -> Result:
        """Runs the steps of a call."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    await self._sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    reply = await self._transport.send(step.call, step.timeout_s)
                except SiglipHdError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            return cast(Result, end.value)


def _transport(connection: Connection) -> AsyncTransport:
    if not connection.is_grpc:
        return AsyncHttpTransport(connection)
    try:
        from .grpc_transport import AsyncGrpcTransport
    except ImportError as error:
        raise missing_grpc(connection.url) from error
    return AsyncGrpcTransport(connection)
