"""The client against the real service, over both transports."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from conftest import FIXTURES, ROCKET, Service
from siglip_hd_client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnauthenticatedError,
    UnsupportedMediaError,
)

PAGE = FIXTURES / "images" / "page.png"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as one:
        yield one


def test_an_encode_gives_the_tokens_of_the_layer_that_is_served(client: Client) -> None:
    tokens = client.encode(FIXTURES / "images" / "document.png", dtype="float32")
    expected = np.load(FIXTURES / "expected" / "encode-document.png-penultimate.npy")
    assert tokens.metadata.features == "penultimate"
    assert np.abs(tokens.numpy() - expected).max() < 5e-5


def test_an_answer_says_all_that_it_is(client: Client) -> None:
    tokens = client.encode(ROCKET, no_store=True, request_id="my-request")
    metadata = tokens.metadata
    assert (tokens.shape, tokens.dtype, tokens.source, tokens.request_id) == (
        (1024, 32),
        "float16",
        "miss",
        "my-request",
    )
    assert (metadata.model.name, metadata.recipe, metadata.output) == ("siglip-tiny", "encode", "features")
    assert [(image.width, image.height) for image in metadata.images] == [(640, 427)]
    assert metadata.model.digest.startswith("sha256:")
    assert tokens.timings.engine_ms > 0


def test_both_transports_say_the_same_of_every_recipe(service: Service) -> None:
    pytest.importorskip("grpc")
    with Client(service.http_url) as http, Client(service.grpc_url) as grpc:
        asks: tuple[Callable[[Client], object], ...] = (
            lambda client: client.encode(PAGE).metadata,
            lambda client: client.teacher_encode(PAGE, scales=(512, 1024), weights=(1, 3), grid=(16, 16)).metadata,
            lambda client: client.anyres_encode(PAGE, max_grid=(2, 2), max_tiles=0).metadata,
            lambda client: client.plan(1218, 1722, recipe="anyres", dtype="float32"),
            lambda client: client.models(),
        )
        for ask in asks:
            assert ask(http) == ask(grpc)


def test_both_clients_give_the_same_tokens(url: str) -> None:
    async def run() -> Any:
        async with AsyncClient(url) as client:
            return (
                await client.encode(PAGE),
                await client.teacher_encode(PAGE),
                await client.anyres_encode(PAGE),
                await client.plan(640, 480),
                await client.models(),
            )

    with Client(url) as client:
        sync = (
            client.encode(PAGE),
            client.teacher_encode(PAGE),
            client.anyres_encode(PAGE),
            client.plan(640, 480),
            client.models(),
        )
    both = asyncio.run(run())
    for one, other in zip(sync[:3], both[:3], strict=True):
        assert (one.numpy() == other.numpy()).all()
    assert sync[3:] == both[3:]


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_tokens_come_in_every_dtype(client: Client, dtype: Any) -> None:
    tokens = client.encode(PAGE, dtype=dtype)
    assert tokens.dtype == dtype
    assert len(tokens.data) == 1024 * 32 * (4 if dtype == "float32" else 2)


def test_pixels_are_encoded_as_they_are(client: Client) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    tokens = client.encode(pixels)
    assert tokens.metadata.images[0].width == 512
    mirrored = client.encode(pixels[:, ::-1])
    assert not (tokens.numpy() == mirrored.numpy()).all()


def test_a_pillow_image_gives_the_tokens_of_its_file(client: Client) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for name in ("page.png", "rocket-exif6.jpg", "alpha.png"):
        path = FIXTURES / "images" / name
        with pillow.open(path) as image:
            of_pixels, of_file = client.encode(image, dtype="float32"), client.encode(path, dtype="float32")
        assert np.abs(of_pixels.numpy() - of_file.numpy()).max() < 1e-4, name


def test_a_stack_of_pixels_is_one_request_over_http(service: Service) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 60, 80, 3), np.uint8)
    with Client(service.http_url) as client:
        stack = client.encode(pixels, dtype="float32")
        singly = [client.encode(one, dtype="float32").numpy() for one in pixels]
    assert stack.shape == (3, 1024, 32)
    assert np.abs(stack.numpy() - np.stack(singly)).max() < 1e-4


def test_a_stack_of_pixels_is_refused_over_grpc(service: Service) -> None:
    pytest.importorskip("grpc")
    with Client(service.grpc_url) as client, pytest.raises(InvalidArgumentError, match="one image a call"):
        client.encode(np.zeros((3, 60, 80, 3), np.uint8))


def test_a_plan_says_what_the_encode_then_answers(client: Client) -> None:
    tokens = client.anyres_encode(PAGE, dtype="float32")
    size = tokens.metadata.images[0]
    plan = client.plan(size.width, size.height, recipe="anyres", dtype="float32")
    assert plan.metadata == tokens.metadata
    assert (plan.tokens, plan.size_bytes) == (tokens.shape[0], len(tokens.data))


def test_anyres_tokens_lie_where_the_geometry_says(client: Client) -> None:
    tokens = client.anyres_encode(ROCKET)
    assert tokens.anyres is not None
    spatial = tokens.anyres.spatial
    assert tokens.shape[0] == tokens.anyres.base_tokens + spatial.width * spatial.height


def test_a_file_that_was_sent_before_comes_from_the_cache_without_being_sent(url: str, rocket: bytes) -> None:
    with Client(url, dtype="float32") as client:
        picture = rocket + b"test_a_file_that_was_sent_before" + url.encode()
        sources = [client.encode(picture).source for _ in range(2)]
    assert sources == ["miss", "hit"]


def test_every_refusal_is_an_error_of_its_class(client: Client) -> None:
    for error, ask in (
        (InvalidArgumentError, lambda: client.encode(b"no image")),
        (UnsupportedMediaError, lambda: client.encode(b"BM" + bytes(100))),
        (NotFoundError, lambda: client.encode(PAGE, model="missing")),
        (FailedPreconditionError, lambda: client.encode(PAGE, expect_digest="sha256:" + "0" * 64)),
        (FailedPreconditionError, lambda: client.encode(PAGE, expect_features="pre_norm")),
        (InvalidArgumentError, lambda: client.teacher_encode(PAGE, scales=(500,))),
        (InvalidArgumentError, lambda: client.plan(0, 100)),
    ):
        with pytest.raises(error) as caught:
            ask()
        assert caught.value.request_id
        assert caught.value.detail


def test_a_deadline_that_cannot_be_met_is_a_deadline_exceeded_error(client: Client) -> None:
    with pytest.raises(DeadlineExceededError):
        client.encode(ROCKET, timeout=0.002, no_store=True)


def test_many_images_are_answered_each_with_its_own_tokens(client: Client) -> None:
    images = [np.full((32, 32, 3), level, np.uint8) for level in range(0, 240, 10)]
    singly = [client.encode(image, dtype="float32").numpy() for image in images]
    for ordered in (True, False):
        for item in client.encode_many(images, concurrency=6, ordered=ordered, dtype="float32"):
            assert np.abs(item.tokens.numpy() - singly[item.index]).max() < 1e-4


def test_many_images_have_any_recipe(client: Client) -> None:
    (item,) = client.encode_many([PAGE], recipe="anyres", max_grid=(1, 1))
    assert item.tokens.metadata.recipe == "anyres"


@pytest.fixture(scope="module")
def guarded(models: dict[str, str]) -> Iterator[Service]:
    """A service with a key, that asks clients for certificates."""
    tls = FIXTURES / "tls"
    context = ssl.create_default_context(cafile=tls / "ca.pem")
    context.load_cert_chain(tls / "client.pem", tls / "client.key")
    running = Service(
        (
            f"--model={models['siglip-tiny']}",
            f"--tls-cert={tls / 'server.pem'}",
            f"--tls-key={tls / 'server.key'}",
            f"--tls-client-ca={tls / 'ca.pem'}",
        ),
        tls=context,
        environment={"SIGLIPHD_API_KEYS": "ada:0123456789abcdef0123"},
    )
    running.start()
    yield running
    running.kill()


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_service_with_keys_and_certificates_lets_in_who_has_both(guarded: Service, transport: str) -> None:
    tls = FIXTURES / "tls"
    if transport == "grpc":
        pytest.importorskip("grpc")
    url = guarded.http_url if transport == "http" else guarded.grpc_url
    certificates: Any = {
        "ca_file": tls / "ca.pem",
        "cert_file": tls / "client.pem",
        "key_file": tls / "client.key",
    }
    with Client(url, api_key="0123456789abcdef0123", **certificates) as client:
        assert client.encode(PAGE).shape == (1024, 32)
    with Client(url, **certificates) as client, pytest.raises(UnauthenticatedError):
        client.encode(PAGE)
    with Client(url, ca_file=tls / "ca.pem", max_retries=0) as client, pytest.raises(ConnectionError):
        client.encode(PAGE)
    with Client(url, ca_file=tls / "other-ca.pem", max_retries=0) as client, pytest.raises(ConnectionError):
        client.encode(PAGE)

    async def once() -> tuple[int, ...]:
        async with AsyncClient(url, api_key="0123456789abcdef0123", **certificates) as client:
            return (await client.encode(PAGE)).shape

    assert asyncio.run(once()) == (1024, 32)


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_service_that_is_killed_and_started_again_loses_no_image(models: dict[str, str], transport: str) -> None:
    if transport == "grpc":
        pytest.importorskip("grpc")
    running = Service((f"--model={models['siglip-tiny']}",))
    running.start()
    killed = threading.Event()

    def images() -> Iterator[Any]:
        for level in range(200):
            if level == 60:
                killed.set()
            yield np.full((64, 64, 3), level, np.uint8)

    def restart() -> None:
        assert killed.wait(60)
        running.kill()
        time.sleep(0.3)
        running.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    try:
        url = running.http_url if transport == "http" else running.grpc_url
        with Client(url, max_retries=20) as client:
            items = list(client.encode_many(images(), concurrency=8))
    finally:
        restarting.join()
        running.kill()
    assert [item.index for item in items] == list(range(200))
    assert [item.error for item in items if item.error is not None] == []
