from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import free_port
from scripted import FIELDS
from siglip_hd_client import (
    AsyncClient,
    CallTimeoutError,
    Client,
    ConnectionFailedError,
    DeadlineExceededError,
    OverloadedError,
    Tokens,
    UnexpectedAnswerError,
)
from siglip_hd_client.http_wire import retry_after_s
from stand_in import problem, send, stand_in, tokens_answer

Encode = Callable[..., Tokens]


@pytest.fixture(params=["sync", "async"])
def encode(request: pytest.FixtureRequest) -> Encode:
    """One encode by a client of its own: ``encode(url, image, client={...}, **options)``."""

    def run(url: str | None, image: Any = b"image", *, client: dict[str, Any] | None = None, **options: Any) -> Tokens:
        settings = client or {}
        if request.param == "sync":
            with Client(url, **settings) as one:
                return one.encode(image, **options)

        async def run_async() -> Tokens:
            async with AsyncClient(url, **settings) as one:
                return await one.encode(image, **options)

        return asyncio.run(run_async())

    return run


def test_a_request_says_how_it_is_to_be_served(encode: Encode) -> None:
    with stand_in(tokens_answer) as server:
        encode(
            server.url,
            client={"api_key": "secret-key", "headers": {"x-team": "vision"}},
            model="hd",
            dtype="float16",
            expect_projector_digest="sha256:1",
            output="embeddings",
            timeout=5.0,
            priority="bulk",
            no_store=True,
            request_id="r7",
        )
    (seen,) = server.seen
    assert (seen.method, seen.body) == ("POST", b"image")
    query = {name: value for name, (value,) in parse_qs(urlsplit(seen.path).query).items()}
    assert query == {
        "format": "raw",
        "model": "hd",
        "dtype": "float16",
        "output": "embeddings",
        "expect_projector_digest": "sha256:1",
    }
    expected = {
        "authorization": "Bearer secret-key",
        "x-team": "vision",
        "x-request-id": "r7",
        "priority": "bulk",
        "cache-control": "no-store",
    }
    assert expected.items() <= seen.headers.items()
    assert 4000 < int(seen.headers["request-timeout-ms"]) <= 5000
    assert seen.headers["user-agent"].startswith("siglip-hd-client/")


def test_a_service_behind_a_path_is_asked_under_it(encode: Encode) -> None:
    with stand_in(tokens_answer) as server:
        encode(f"{server.url}/vision/")
    assert urlsplit(server.seen[0].path).path == "/vision/v1/encode"


def test_a_problem_is_an_error_of_its_class_with_what_it_says(encode: Encode) -> None:
    with (
        stand_in(problem(429, "overloaded", retry_after_ms="1500", retry_after="2")) as server,
        pytest.raises(OverloadedError) as caught,
    ):
        encode(server.url, max_retries=0)
    error = caught.value
    assert (error.detail, error.request_id, error.retry_after) == ("It is overloaded.", "r1", 1.5)


def test_a_refused_call_is_sent_again_and_answered(encode: Encode) -> None:
    with stand_in(problem(503, "unavailable", retry_after_ms="10"), tokens_answer) as server:
        assert encode(server.url).shape == (4, 2)
    assert len(server.seen) == 2


def test_a_deadline_that_the_service_reports_keeps_what_it_says(encode: Encode) -> None:
    with (
        stand_in(problem(504, "deadline_exceeded")) as server,
        pytest.raises(DeadlineExceededError, match=r"It is deadline_exceeded\. \(request r1\)") as caught,
    ):
        encode(server.url)
    assert not isinstance(caught.value, CallTimeoutError)


def test_an_answer_that_cannot_be_decompressed_is_a_connection_error(encode: Encode) -> None:
    with (
        stand_in(lambda handler: send(handler, 200, b"no gzip", {"content-encoding": "gzip"})) as server,
        pytest.raises(ConnectionFailedError),
    ):
        encode(server.url, max_retries=0)


def test_timings_that_a_proxy_garbled_do_not_spoil_an_answer(encode: Encode) -> None:
    headers = {"tokens-meta": json.dumps(FIELDS), "server-timing": "decode;dur=1.2.3, views;dur=., engine;dur=7"}
    with stand_in(lambda handler: send(handler, 200, bytes(16), headers)) as server:
        assert encode(server.url).timings.engine_ms == 7


def test_retry_after_may_be_seconds_or_a_date() -> None:
    assert retry_after_s({"retry-after": "3"}) == 3
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert retry_after_s({"retry-after": in_a_minute}) == pytest.approx(60, abs=2)
    in_18000_years = "Mon, 01 Jan 20301 00:00:00 GMT"
    for nonsense in (
        {},
        {"retry-after": "soon"},
        {"retry-after-ms": "nan"},
        {"retry-after": "-1"},
        {"retry-after": in_18000_years},
    ):
        assert retry_after_s(nonsense) is None


def test_a_proxy_s_error_page_is_an_unexpected_answer_that_quotes_it(encode: Encode) -> None:
    page = b"<html>\n<h1>502 Bad Gateway</h1></html>"
    with (
        stand_in(lambda handler: send(handler, 502, page, {"content-type": "text/html"})) as server,
        pytest.raises(UnexpectedAnswerError, match=r"HTTP 502.*Bad Gateway") as caught,
    ):
        encode(server.url, max_retries=0)
    assert caught.value.status == 502
    assert caught.value.is_transient


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"hello"),
        ({"tokens-meta": "no json"}, bytes(16)),
        ({"tokens-meta": "{}"}, bytes(16)),
        ({"tokens-meta": '{"model": 1}'}, bytes(16)),
    ],
)
def test_an_answer_that_is_not_the_service_s_is_an_unexpected_answer(
    encode: Encode, headers: dict[str, str], body: bytes
) -> None:
    with stand_in(lambda handler: send(handler, 200, body, headers)) as server, pytest.raises(UnexpectedAnswerError):
        encode(server.url)


def test_an_answer_of_the_wrong_size_is_an_unexpected_answer(encode: Encode) -> None:
    def short(handler: BaseHTTPRequestHandler) -> None:
        tokens_answer(cast(BaseHTTPRequestHandler, _Shortened(handler)))

    with stand_in(short) as server, pytest.raises(UnexpectedAnswerError, match="have 16 bytes, not 8"):
        encode(server.url)


class _Shortened:
    """A handler whose answer's body has half its bytes, and says so."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self.wfile = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def send_header(self, name: str, value: str) -> None:
        self._handler.send_header(name, "8" if name == "content-length" else value)

    def write(self, body: bytes) -> None:
        self._handler.wfile.write(body[:8])


def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_tried_again(encode: Encode) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, bytes(4), {"content-length": "16", "tokens-meta": "{}"})
        handler.close_connection = True

    with stand_in(broken, tokens_answer) as server:
        assert encode(server.url).shape == (4, 2)
    with stand_in(broken) as server, pytest.raises(ConnectionFailedError) as caught:
        encode(server.url, max_retries=0, request_id="r9")
    assert caught.value.request_id == "r9"
    assert f"The connection to {server.url} failed: " in caught.value.detail


def test_where_nobody_listens_it_is_a_connection_error(encode: Encode) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionFailedError, match="connection refused") as caught:
        encode(url, max_retries=0, request_id="r9")
    assert isinstance(caught.value, ConnectionError)
    # No service has the request in its log.
    assert str(caught.value) == f"connection_failed: Cannot reach {url}: connection refused"


def test_an_answer_that_does_not_come_is_a_timeout(encode: Encode) -> None:
    def late(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(1)
        handler.close_connection = True

    with stand_in(late) as server, pytest.raises(CallTimeoutError):
        encode(server.url, timeout=0.2)


def test_an_answer_that_trickles_is_a_timeout_too(encode: Encode) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, b"", {"content-length": "1000", "tokens-meta": "{}"})
        for _ in range(20):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
            time.sleep(0.05)
        handler.close_connection = True

    with stand_in(trickle) as server, pytest.raises(CallTimeoutError):
        encode(server.url, timeout=0.3)


@pytest.mark.parametrize("location", ["https://tokens.example/v1/encode?format=npy", "/login"])
def test_a_redirect_is_not_followed_and_its_target_named_without_advice(encode: Encode, location: str) -> None:
    with (
        stand_in(lambda handler: send(handler, 308, b"", {"location": location})) as server,
        pytest.raises(UnexpectedAnswerError) as caught,
    ):
        encode(server.url)
    assert caught.value.detail == f"HTTP 308 redirects to {location}. The client does not follow redirects."


def test_url_and_key_may_come_from_the_environment(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(tokens_answer) as server:
        monkeypatch.setenv("SIGLIPHD_URL", server.url)
        monkeypatch.setenv("SIGLIPHD_API_KEY", "from-the-environment")
        encode(None)
    assert server.seen[0].headers["authorization"] == "Bearer from-the-environment"


@pytest.mark.parametrize(
    ("url", "settings", "why"),
    [
        ("localhost:8080", {}, "use one like http://localhost:8080"),
        ("ftp://localhost", {}, "not a service's URL"),
        ("http://localhost:x", {}, "not a service's URL"),
        ("http://localhost:99999", {}, "not a service's URL"),
        ("http://[::1", {}, "not a service's URL"),
        (" http://localhost", {}, "not a service's URL"),
        ("http://localhost\n", {}, "not a service's URL"),
        ("grpc://localhost:x", {}, "not a service's URL"),
        ("grpc://localhost", {}, "not a gRPC address"),
        ("grpc://localhost:50051/path", {}, "not a gRPC address"),
        ("http://localhost", {"ca_file": "ca.pem"}, "need an https://"),
        ("https://localhost", {"key_file": "client.key"}, "needs cert_file"),
        ("https://localhost", {"ca_file": __file__}, r"test_http\.py', which is not a PEM file"),
        ("grpcs://localhost:50051", {"ca_file": __file__}, r"test_http\.py', which is not a PEM file"),
        ("http://localhost", {"headers": {"x-a": "b\n"}}, "The header 'x-a'"),
        ("http://localhost", {"headers": {"x a": "b"}}, "The header 'x a'"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_when_the_client_is_made(
    url: str, settings: dict[str, Any], why: str
) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=why):
            kind(url, **settings)


@pytest.mark.parametrize("url", ["https://localhost", "grpcs://localhost:50051"])
def test_a_certificate_file_that_is_missing_is_named(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
            kind(url, ca_file="missing.pem")


@pytest.mark.parametrize("url", ["http://localhost", "grpc://localhost:50051"])
@pytest.mark.parametrize("key", ["secret\n", "secret key", "secr\u00e9t"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(url: str, key: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="strip the line break") as caught:
            kind(url, api_key=key)
        assert "secr" not in str(caught.value)


def test_a_key_is_not_in_what_a_client_prints() -> None:
    from siglip_hd_client.connection import Connection

    assert "secret" not in repr(Connection("http://localhost", api_key="secret", headers={"a": "secret"}))


def test_an_option_that_nobody_knows_is_refused_by_its_name() -> None:
    with Client() as client:
        with pytest.raises(TypeError, match="'scale' is not an option of encode; use one of model"):
            client.encode(b"image", scale=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="'max_tiles' is not an option of teacher"):
            client.teacher_encode(b"image", max_tiles=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'scales'"):
        Client(scales=(1,))  # type: ignore[call-arg]
