"""How to connect to a service."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

DEFAULT_URL = "http://localhost:8080"

Scheme = Literal["http", "https", "grpc", "grpcs"]


@dataclass(frozen=True)
class Connection:
    """A service's address and credentials.

    Attributes:
        url: An ``http://``, ``https://``, ``grpc://`` or ``grpcs://`` URL.
        api_key: Sent with every request as ``authorization: Bearer``.
        ca_file: PEM file with the CA certificates that may sign the service's certificate.
        cert_file: PEM file with the client's certificate and its intermediates.
        key_file: PEM file with that certificate's key, unless ``cert_file`` contains it.
        headers: Additional HTTP headers, or gRPC metadata, for every request.
        url_source: Where the URL comes from, such as ``from SIGLIPHD_URL``; None if it is the caller's.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    url_source: str | None = None

    def __post_init__(self) -> None:
        self._check_url()
        self._check_files()
        if self.api_key is not None and not re.fullmatch("[!-~]+", self.api_key):
            # The error must not show the key.
            raise ValueError(
                "The API key contains a space, a line break or a character that is not ASCII. If you read it from a "
                "file, strip the line break at its end."
            )
        for name, value in self.headers.items():
            if not re.fullmatch("[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch("[ -~]*", value):
                raise ValueError(
                    f"The header {name!r} has a name that HTTP does not allow, or a value that is not printable ASCII."
                )

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        is_plain = self.url.isprintable() and " " not in self.url
        if parts.scheme not in ("http", "https", "grpc", "grpcs") or not host or not is_plain:
            raise ValueError(
                f"{self._shown_url} is not a service's URL; use one like http://localhost:8080 or "
                "grpc://localhost:50051."
            )
        if self.is_grpc and (port is None or parts.path not in ("", "/")):
            raise ValueError(f"{self._shown_url} is not a gRPC address; use one like {parts.scheme}://host:50051.")

    def _check_files(self) -> None:
        files = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        given = {name: file for name, file in files.items() if file is not None}
        if given and not self.is_secure:
            raise ValueError(f"Certificates need an https:// or grpcs:// URL, not {self._shown_url}.")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file: the certificate that the key belongs to.")
        for name, file in given.items():
            # Opened here because the libraries' errors do not name the file.
            if b"-----BEGIN " not in Path(file).read_bytes():
                raise ValueError(f"{name} is {file!r}, which is not a PEM file.")

    @property
    def _shown_url(self) -> str:
        source = "" if self.url_source is None else f" ({self.url_source})"
        return f"{without_password(self.url)!r}{source}"

    @property
    def is_grpc(self) -> bool:
        """Whether the URL selects gRPC."""
        return self.url.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        """Whether the connection uses TLS."""
        return urlsplit(self.url).scheme in ("https", "grpcs")

    @property
    def target(self) -> str:
        """Host and port, as gRPC takes them."""
        return urlsplit(self.url).netloc


def connection_of(
    url: str | None,
    api_key: str | None,
    ca_file: str | os.PathLike[str] | None,
    cert_file: str | os.PathLike[str] | None,
    key_file: str | os.PathLike[str] | None,
    headers: Mapping[str, str] | None,
) -> Connection:
    """The connection for a client's arguments; SIGLIPHD_URL and SIGLIPHD_API_KEY are the defaults."""
    from_environment = os.environ.get("SIGLIPHD_URL")
    default_source = "from SIGLIPHD_URL" if from_environment else "the default; SIGLIPHD_URL is not set"
    return Connection(
        url=url or from_environment or DEFAULT_URL,
        url_source=None if url else default_source,
        api_key=api_key or os.environ.get("SIGLIPHD_API_KEY") or None,
        ca_file=_path(ca_file),
        cert_file=_path(cert_file),
        key_file=_path(key_file),
        headers=headers or {},
    )


def without_password(url: str) -> str:
    """The URL without its user and password, even if it is no valid one."""
    return re.sub("(?<=//)[^/?#]*@", "", url)


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def missing_grpc(url: str) -> ImportError:
    """The error for a gRPC URL without grpcio and protobuf."""
    return ImportError(f"{without_password(url)} needs grpcio and protobuf: pip install 'siglip-hd-client[grpc]'")
