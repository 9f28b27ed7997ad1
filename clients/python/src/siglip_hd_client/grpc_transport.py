"""The gRPC transport. Needs grpcio and protobuf (``pip install 'siglip-hd-client[grpc]'``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from ._version import __version__
from .call import Call, Reply
from .connection import Connection
from .grpc_messages import method_classes
from .grpc_wire import grpc_request, read_error, read_reply

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # Tokens exceed the 4 MiB that a client accepts by default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.primary_user_agent", f"siglip-hd-client/{__version__}"),
    # The steps of a call retry. Reconnect soon after a restart.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class GrpcTransport:
    """Sends calls over gRPC. Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        credentials = _credentials(connection)
        self._connection = connection
        self._metadata = _connection_metadata(connection)
        self._channel = (
            grpc.insecure_channel(connection.target, _OPTIONS)
            if credentials is None
            else grpc.secure_channel(connection.target, credentials, _OPTIONS)
        )

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""
        request = grpc_request(call)
        method = self._channel.unary_unary(request.path, **_serializers(request.method))
        try:
            response, done = method.with_call(
                request.message, timeout=timeout_s, metadata=(*request.metadata, *self._metadata)
            )
        except grpc.RpcError as error:
            # The RpcError is the call itself.
            failed: Any = error
            raise read_error(
                self._connection, call, failed.code(), failed.details(), _mapping(failed.trailing_metadata())
            ) from error
        return read_reply(call, response, _mapping(done.initial_metadata()))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


class AsyncGrpcTransport:
    """Sends calls over gRPC, for asyncio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._metadata = _connection_metadata(connection)
        self._opened: grpc.aio.Channel | None = None

    async def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""
        request = grpc_request(call)
        method: Any = self._channel().unary_unary(request.path, **_serializers(request.method))
        sent = method(request.message, timeout=timeout_s, metadata=(*request.metadata, *self._metadata))
        try:
            response = await sent
        except grpc.aio.AioRpcError as error:
            raise read_error(
                self._connection, call, error.code(), error.details(), _mapping(error.trailing_metadata())
            ) from error
        return read_reply(call, response, _mapping(await sent.initial_metadata()))

    def _channel(self) -> grpc.aio.Channel:
        # A channel belongs to the event loop that creates it, and the client may be created outside one.
        if self._opened is None:
            target, credentials = self._connection.target, _credentials(self._connection)
            self._opened = (
                grpc.aio.insecure_channel(target, _OPTIONS)
                if credentials is None
                else grpc.aio.secure_channel(target, credentials, _OPTIONS)
            )
        return self._opened

    async def close(self) -> None:
        """Closes the connection."""
        if self._opened is not None:
            await self._opened.close()


def _serializers(method: str) -> dict[str, Any]:
    request, response = method_classes(method)
    return {"request_serializer": request.SerializeToString, "response_deserializer": response.FromString}


def _credentials(connection: Connection) -> grpc.ChannelCredentials | None:
    if not connection.is_secure:
        return None
    ca, cert, key = (_read(file) for file in (connection.ca_file, connection.cert_file, connection.key_file))
    # One file may contain both.
    return grpc.ssl_channel_credentials(ca, key if key is not None else cert, cert)


def _read(file: str | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()


def _connection_metadata(connection: Connection) -> tuple[tuple[str, str], ...]:
    key = connection.api_key
    authorization = () if key is None else (("authorization", f"Bearer {key}"),)
    return (*authorization, *((name.lower(), value) for name, value in connection.headers.items()))


def _mapping(metadata: Iterable[tuple[str, Any]] | None) -> Mapping[str, Any]:
    return dict(metadata or ())
