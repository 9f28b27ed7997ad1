"""Says why a service cannot be reached, and what to do."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.request
from urllib.parse import urlsplit

from .connection import Connection, without_password
from .errors import ConnectionFailedError


def unreachable(connection: Connection, reason: str) -> ConnectionFailedError:
    """The error where no connection was made, so that no service has seen the request."""
    return ConnectionFailedError(f"Cannot reach {_whereabouts(connection)}: {reason}")


def broken(connection: Connection, reason: str, request_id: str, *, is_transient: bool = True) -> ConnectionFailedError:
    """The error for a connection that failed after the client had opened it."""
    return ConnectionFailedError(
        f"The connection to {_whereabouts(connection)} failed: {reason}",
        request_id=request_id,
        is_transient=is_transient,
    )


def reason_of(error: BaseException) -> str:
    """Why no connection was made: the system's reason, under the errors of the libraries above it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return certificate_reason(cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            return tls_reason(cause.reason or str(cause))
        if isinstance(cause, socket.gaierror):
            return _lower(cause.strerror or str(cause))
        if isinstance(cause, OSError) and cause.errno:
            return _lower(os.strerror(cause.errno))
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def tls_reason(reason: str) -> str:
    """Why a TLS handshake failed."""
    if "WRONG_VERSION_NUMBER" in reason:
        return "the port does not speak TLS. Use an http:// or grpc:// URL, or another port."
    if "NO_APPLICATION_PROTOCOL" in reason.upper().replace(" ", "_"):
        return "the port speaks another protocol. Use an https:// URL for the HTTP port, grpcs:// for the gRPC port."
    return reason


def certificate_reason(reason: str) -> str:
    """Why a certificate was refused."""
    return f"its certificate is not trusted ({reason}). Pass the CA's certificate as ca_file."


def closed_reason(connection: Connection, *, has_answered: bool = False) -> str:
    """Why a server may have closed the connection without an answer, if it has answered earlier requests or not."""
    if connection.is_secure or has_answered:
        return "the server closed it without an answer."
    scheme = "grpcs" if connection.is_grpc else "https"
    return f"the server closed it without an answer. If the port speaks TLS, use {scheme}:// instead."


def _lower(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _whereabouts(connection: Connection) -> str:
    """The URL, where it comes from, and the proxy on the way; without passwords."""
    notes = [] if connection.url_source is None else [connection.url_source]
    proxy = _proxy(connection)
    if proxy is not None:
        notes.append(f"through the proxy {without_password(proxy)}")
    return without_password(connection.url) + (f" ({', '.join(notes)})" if notes else "")


def _proxy(connection: Connection) -> str | None:
    """The proxy that the environment names for the URL."""
    parts, proxies = urlsplit(connection.url), urllib.request.getproxies()
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    # The order is httpx's, and gRPC's.
    schemes = ("grpc", "https", "http") if connection.is_grpc else (parts.scheme, "all")
    return next((proxies[scheme] for scheme in schemes if scheme in proxies), None)
