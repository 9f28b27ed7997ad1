from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conftest import FIXTURES, free_port
from siglip_hd_client import AsyncClient, Client, ConnectionFailedError
from stand_in import stand_in, tokens_answer

grpc: Any = importlib.import_module("grpc") if importlib.util.find_spec("grpc") else None

Failure = Callable[..., str]


@pytest.fixture(params=["sync", "async"])
def failure(request: pytest.FixtureRequest) -> Failure:
    """What either client says when it cannot reach a URL."""

    def run(url: str | None, **settings: Any) -> str:
        async def run_async() -> None:
            async with AsyncClient(url, max_retries=0, timeout=20, **settings) as client:
                await client.models()

        def run_sync() -> None:
            with Client(url, max_retries=0, timeout=20, **settings) as client:
                client.models()

        with pytest.raises(ConnectionFailedError) as caught:
            asyncio.run(run_async()) if request.param == "async" else run_sync()
        assert caught.value.request_id is None
        return caught.value.detail

    return run


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def schemes() -> list[str]:
    return ["http", "grpc"] if grpc else ["http"]


@pytest.fixture
def grpc_port() -> Iterator[int]:
    """The port of a gRPC server without services."""
    if grpc is None:
        pytest.skip("grpcio is not installed")
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize("scheme", schemes())
def test_an_error_names_the_url_and_where_it_comes_from(
    failure: Failure, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    assert failure(url) == f"Cannot reach {url}: connection refused"
    monkeypatch.setenv("SIGLIPHD_URL", url)
    assert failure(None) == f"Cannot reach {url} (from SIGLIPHD_URL): connection refused"


def test_an_error_names_the_default_url_as_such(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr("siglip_hd_client.connection.DEFAULT_URL", url)
    assert f"{url} (the default; SIGLIPHD_URL is not set)" in failure(None)


@pytest.mark.parametrize("scheme", schemes())
def test_an_error_names_the_proxy_without_its_password(
    failure: Failure, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("http_proxy", f"http://ada:secret@{proxy}")
    detail = failure(f"{scheme}://siglip-hd.invalid:80")
    assert detail.startswith(f"Cannot reach {scheme}://siglip-hd.invalid:80 (through the proxy http://{proxy}): ")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "proxy" not in failure(f"{scheme}://127.0.0.1:{free_port()}")


def test_an_error_has_no_password_of_the_url(failure: Failure) -> None:
    port = free_port()
    assert failure(f"http://ada:secret@127.0.0.1:{port}").startswith(f"Cannot reach http://127.0.0.1:{port}: ")


@pytest.mark.parametrize("scheme", schemes())
def test_a_host_that_does_not_exist_is_named(failure: Failure, scheme: str) -> None:
    assert failure(f"{scheme}://siglip-hd.invalid:80").startswith(f"Cannot reach {scheme}://siglip-hd.invalid:80: ")


def test_an_http_url_of_the_grpc_port_is_told_to_use_grpc(failure: Failure, grpc_port: int) -> None:
    assert "For the gRPC port use a grpc:// URL." in failure(f"http://127.0.0.1:{grpc_port}")


def test_a_grpc_url_of_the_http_port_is_told_to_use_http(failure: Failure) -> None:
    if grpc is None:
        pytest.skip("grpcio is not installed")
    with stand_in(tokens_answer) as server:
        assert "Use an http:// URL" in failure(server.url.replace("http", "grpc"))


def test_tls_to_a_plain_port_is_told_to_use_a_plain_url(failure: Failure, grpc_port: int) -> None:
    with stand_in(tokens_answer) as server:
        assert "does not speak TLS. Use an http://" in failure(server.url.replace("http", "https"))
    assert "does not speak TLS. Use an http:// or grpc://" in failure(f"grpcs://127.0.0.1:{grpc_port}")


@pytest.fixture
def tls_port() -> Iterator[int]:
    """The port of a gRPC server that speaks TLS."""
    if grpc is None:
        pytest.skip("grpcio is not installed")
    tls = FIXTURES / "tls"
    pair = ((tls / "server.key").read_bytes(), (tls / "server.pem").read_bytes())
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("scheme", schemes())
def test_a_plain_url_of_a_tls_port_is_told_to_use_tls(tls_port: int, scheme: str, kind: str) -> None:
    url = f"{scheme}://127.0.0.1:{tls_port}"

    async def ask() -> None:
        async with AsyncClient(url, max_retries=0, timeout=20) as client:
            await client.models()

    def ask_sync() -> None:
        with Client(url, max_retries=0, timeout=20) as client:
            client.models()

    with pytest.raises(ConnectionFailedError, match=f"If the port speaks TLS, use {scheme}s:// instead"):
        asyncio.run(ask()) if kind == "async" else ask_sync()


def test_a_certificate_that_is_not_trusted_asks_for_ca_file(failure: Failure, tls_port: int) -> None:
    for scheme in ("https", "grpcs"):
        assert "certificate is not trusted" in failure(f"{scheme}://127.0.0.1:{tls_port}")
        other_ca = FIXTURES / "tls" / "other-ca.pem"
        assert "ca_file" in failure(f"{scheme}://127.0.0.1:{tls_port}", ca_file=other_ca)


def test_a_port_that_has_answered_plain_http_is_not_said_to_speak_tls() -> None:
    seen = 0

    def once(handler: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            tokens_answer(handler)
        handler.close_connection = True

    with stand_in(once) as server, Client(server.url, max_retries=0, timeout=20) as client:
        client.encode(FIXTURES / "images" / "rocket.jpg")
        with pytest.raises(ConnectionFailedError) as caught:
            client.encode(FIXTURES / "images" / "rocket.jpg")
    assert "the server closed it without an answer." in caught.value.detail
    assert "TLS" not in caught.value.detail


@pytest.mark.parametrize("url", ["ftp://ada:secret@host", "grpc://ada:secret@host", "http://ada:secret@ho st"])
def test_a_wrong_url_is_quoted_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="://ho") as caught:
        Client(url)
    assert "secret" not in str(caught.value)
