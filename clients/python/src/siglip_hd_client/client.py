"""The synchronous client."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast

from .call import Transport
from .connection import Connection, connection_of, missing_grpc
from .errors import SiglipHdError
from .http_transport import HttpTransport
from .images import ImageInput, require_several
from .many import Item, Stopped, in_threads
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


class Client:
    """Calls a siglip-hd service over HTTP or gRPC. Threads may share a client.

        with Client("http://localhost:8080") as client:
            tokens = client.encode("photo.jpg")

    Any call can raise a `SiglipHdError`; see `siglip_hd_client.errors` for its subclasses. Calls are idempotent, so the
    client retries after transient errors (overload, a restart, a broken connection) and waits as the service asks.

    Args:
        url: ``http://``, ``https://``, ``grpc://host:port`` or, over TLS, ``grpcs://host:port``. Default: the
            environment's SIGLIPHD_URL, or ``http://localhost:8080``.
        api_key: The API key. Default: the environment's SIGLIPHD_API_KEY, or none.
        ca_file: PEM file with the CA certificates to trust. Default: over HTTP the public CAs, or those of the
            environment's SSL_CERT_FILE; over gRPC the public CAs, or those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.
        cert_file: PEM file with a client certificate.
        key_file: PEM file with the certificate's key. Default: ``cert_file`` contains it.
        headers: Additional HTTP headers, or gRPC metadata, for every request.
        digest_first: Whether to send only the digest of a file that was sent before with the same options, and the file
            itself only if the service no longer has its tokens. Applies to files of 64 KiB or more.
        transport: Replaces the transport that the URL selects; for tests.
        clock: Replaces the system clock; for tests.
        sleep: Replaces `time.sleep`; for tests.
        **defaults: Default options of every call: ``timeout`` (600 s), ``max_retries`` (2), ``model``, ``dtype`` etc.
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
        transport: Transport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
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

    def encode(self, image: ImageInput, **options: Unpack[EncodeOptions]) -> Tokens:
        """Encodes one view of an image: ``(tokens, channels)``, float16 by default.

        Args:
            image: A path, the bytes of a file, an open binary file, a Pillow image, or uint8 pixels
                ``[height, width, 3]``. Over HTTP also a stack of images ``[n, height, width, 3]``, which gives
                ``(n, tokens, channels)``.
            **options: See `EncodeOptions` and `CallOptions`.

        Raises:
            SiglipHdError: The call failed.
            OSError: The file cannot be read.
            TypeError: ``image`` has an unsupported type, or an option is unknown.
            ValueError: The array is not an image, or an option has an invalid value.
        """
        return self._run(self._session.encode("encode", image, options))

    def teacher_encode(self, image: ImageInput, **options: Unpack[TeacherOptions]) -> Tokens:
        """Encodes an image at several scales and fuses the results to one grid.

        Like `encode`, with the options of `TeacherOptions`.
        """
        return self._run(self._session.encode("teacher", image, options))

    def anyres_encode(self, image: ImageInput, **options: Unpack[AnyResOptions]) -> Tokens:
        """Encodes the whole image, then tiles at its native resolution; `Tokens.anyres` describes the layout.

        Like `encode`, with the options of `AnyResOptions`.
        """
        return self._run(self._session.encode("anyres", image, options))

    def encode_many(
        self,
        images: Iterable[Image],
        *,
        recipe: Recipe = "encode",
        concurrency: int = 8,
        ordered: bool = True,
        **options: Unpack[AnyOptions],
    ) -> Iterator[Item[Image]]:
        """Encodes many images, ``concurrency`` at a time, and yields an `Item` for each.

            for item in client.encode_many(paths):
                if item.error is not None:
                    print(item.image, item.error)
                else:
                    save(item.image, item.tokens.numpy())

        A failed image yields an item with an error; the other images are unaffected. The client reads ``images`` lazily
        and holds at most ``2 * concurrency`` of them, so memory does not grow with their number. ``timeout`` applies to
        each image separately.

        Args:
            images: Anything that `encode` takes.
            recipe: How to encode each image; ``options`` are this recipe's.
            concurrency: The number of images in flight.
            ordered: Whether to yield items in the order of ``images``, or as they finish.
            **options: See `EncodeOptions`, `TeacherOptions`, `AnyResOptions` and `CallOptions`.

        Raises:
            TypeError: ``images`` is a single image, or the recipe has no such option.
            ValueError: There is no such recipe, an option has an invalid value, or ``concurrency`` is less than 1.
        """
        require_several(images)
        self._session.check(recipe, options)
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be 1 or more.")

        def encode(image: Image, stopped: threading.Event) -> Tokens:
            def sleep(seconds: float) -> None:
                self._sleep(seconds)
                if stopped.is_set():
                    raise Stopped

            return self._run(self._session.encode(recipe, image, options), sleep)

        return in_threads(images, encode, concurrency=concurrency, ordered=ordered)

    def plan(self, width: int, height: int, *, recipe: Recipe = "encode", **options: Unpack[AnyOptions]) -> Plan:
        """Says what an encode of an upright image of ``width`` x ``height`` pixels would return, without encoding."""
        return self._run(self._session.plan(recipe, Size(width, height), options))

    def models(self, **options: Unpack[CallOptions]) -> tuple[Model, ...]:
        """Lists the served models, the default first."""
        return self._run(self._session.models(options))

    def with_options(self, **defaults: Unpack[EncodeOptions]) -> Client:
        """Returns a client with other defaults on the same connections: ``client.with_options(timeout=5)``."""
        other = object.__new__(Client)
        other.__dict__.update(self.__dict__)
        other._session = self._session.with_defaults(defaults)
        other._session.check("encode", defaults)
        return other

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Steps[Result], sleep: Callable[[float], None] | None = None) -> Result:
        """Runs the steps of a call."""
        sleep = sleep or self._sleep
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    reply = self._transport.send(step.call, step.timeout_s)
                except SiglipHdError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            return cast(Result, end.value)


def _transport(connection: Connection) -> Transport:
    if not connection.is_grpc:
        return HttpTransport(connection)
    try:
        from .grpc_transport import GrpcTransport
    except ImportError as error:
        raise missing_grpc(connection.url) from error
    return GrpcTransport(connection)
