"""The HTTP transport, on httpx."""

from __future__ import annotations

import asyncio
import platform
import ssl
import time
from collections.abc import Mapping
from typing import TypedDict

import httpx

from ._version import __version__
from .call import Call, Reply
from .connection import Connection
from .errors import CallTimeoutError, SiglipHdError
from .http_wire import http_request, read_error, read_reply
from .unreachable import broken, closed_reason, reason_of, unreachable

#: Timeout for connecting, in seconds.
_CONNECT_S = 5.0
#: Shorter than the service's own timeout for idle connections, 72 s.
_KEEP_ALIVE_S = 60.0


class HttpTransport:
    """Sends calls over HTTP. Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = httpx.Client(**_client_settings(connection))
        self._has_answered = False

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            with self._client.stream(**_request(call, timeout_s)) as response:
                self._has_answered = True
                body = _Body(response.headers)
                for chunk in response.iter_bytes():
                    body.append(chunk)
                    if deadline is not None and time.monotonic() > deadline:
                        raise _timed_out(call)
                return _read(call, response, body)
        except httpx.RequestError as error:
            raise _failure(self._connection, call, error, has_answered=self._has_answered) from error

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class AsyncHttpTransport:
    """Sends calls over HTTP, for asyncio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = httpx.AsyncClient(**_client_settings(connection))
        self._has_answered = False

    async def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""
        try:
            return await asyncio.wait_for(self._send(call, timeout_s), timeout_s)
        except SiglipHdError:
            # The service's deadline_exceeded is a TimeoutError, too.
            raise
        except asyncio.TimeoutError as error:
            raise _timed_out(call) from error

    async def _send(self, call: Call, timeout_s: float | None) -> Reply:
        try:
            async with self._client.stream(**_request(call, timeout_s)) as response:
                self._has_answered = True
                body = _Body(response.headers)
                async for chunk in response.aiter_bytes():
                    body.append(chunk)
                return _read(call, response, body)
        except httpx.RequestError as error:
            raise _failure(self._connection, call, error, has_answered=self._has_answered) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


class _ClientSettings(TypedDict):
    base_url: str
    headers: dict[str, str]
    verify: ssl.SSLContext | bool
    limits: httpx.Limits


def _client_settings(connection: Connection) -> _ClientSettings:
    versions = f"python/{platform.python_version()} httpx/{httpx.__version__}"
    headers = {"user-agent": f"siglip-hd-client/{__version__} {versions}", **connection.headers}
    if connection.api_key is not None:
        headers["authorization"] = f"Bearer {connection.api_key}"
    return {
        "base_url": connection.url,
        "headers": headers,
        "verify": _verification(connection),
        # The caller decides how many requests are in flight.
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEEP_ALIVE_S),
    }


def _verification(connection: Connection) -> ssl.SSLContext | bool:
    if connection.ca_file is None and connection.cert_file is None:
        return True
    if connection.ca_file is None:
        context = httpx.create_ssl_context()
    else:
        context = ssl.create_default_context(cafile=connection.ca_file)
    if connection.cert_file is not None:
        context.load_cert_chain(connection.cert_file, connection.key_file)
    return context


class _Request(TypedDict):
    method: str
    url: str
    params: dict[str, str]
    headers: dict[str, str]
    content: bytes | None
    timeout: httpx.Timeout


def _request(call: Call, timeout_s: float | None) -> _Request:
    request = http_request(call, timeout_s)
    connect_s = _CONNECT_S if timeout_s is None else min(timeout_s, _CONNECT_S)
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query,
        "headers": request.headers,
        "content": request.body,
        "timeout": httpx.Timeout(timeout_s, connect=connect_s),
    }


class _Body:
    """Collects an answer's bytes in writable memory, allocated once if the length is known."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length", "")
        self._bytes = bytearray(int(length) if length.isdigit() else 0)
        self._filled = 0

    def append(self, chunk: bytes) -> None:
        self._bytes[self._filled : self._filled + len(chunk)] = chunk
        self._filled += len(chunk)

    def whole(self) -> bytearray:
        del self._bytes[self._filled :]
        return self._bytes


def _read(call: Call, response: httpx.Response, body: _Body) -> Reply:
    if response.status_code != 200:
        raise read_error(call, response.status_code, response.headers, body.whole())
    return read_reply(call, response.headers, body.whole())


def _timed_out(call: Call) -> CallTimeoutError:
    return CallTimeoutError("The service did not answer in time.", request_id=call.terms.request_id)


def _failure(connection: Connection, call: Call, error: httpx.RequestError, *, has_answered: bool) -> SiglipHdError:
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return _timed_out(call)
    if isinstance(error, httpx.ConnectTimeout):
        return unreachable(connection, "no connection in time")
    if isinstance(error, httpx.ConnectError):
        return unreachable(connection, reason_of(error))
    if isinstance(error, httpx.ProxyError):
        return unreachable(connection, f"the proxy refused ({error})")
    what = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError) and "illegal" in what:
        # What h11 says of frames of HTTP/2.
        return unreachable(connection, "the port does not speak HTTP/1.1. For the gRPC port use a grpc:// URL.")
    if isinstance(error, httpx.RemoteProtocolError) and "without sending a response" in what:
        return broken(connection, closed_reason(connection, has_answered=has_answered), call.terms.request_id)
    # Retrying does not help against an invalid request.
    stays = isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol)
    return broken(connection, what, call.terms.request_id, is_transient=not stays)
