"""Hidden states, class tokens and pooled vectors of the real service, over both transports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conftest import FIXTURES, ROCKET, Service
from siglip_hd_client import Client, FailedPreconditionError, InvalidArgumentError


@pytest.fixture(params=["http", "grpc"])
def client(request: pytest.FixtureRequest, layers: Service) -> Iterator[Client]:
    if request.param == "grpc":
        pytest.importorskip("grpc")
    with Client(layers.http_url if request.param == "http" else layers.grpc_url, dtype="float32") as one:
        yield one


def expected(name: str) -> Any:
    return np.load(FIXTURES / "layers" / "expected" / f"clip-projected-rocket.jpg-{name}.npy")


@pytest.mark.parametrize(
    ("options", "name", "features"),
    [
        ({}, "features_last_hidden_state", "last_hidden_state"),
        ({"features": "penultimate"}, "features_penultimate", "penultimate"),
        ({"features": ("penultimate", "-3")}, "features_penultimate+-3", "penultimate,-3"),
        ({"features": "penultimate,-3"}, "features_penultimate+-3", "penultimate,-3"),
        (
            {"features": "penultimate", "class_token": True},
            "features_penultimate-class_token_true",
            "penultimate",
        ),
        ({"output": "pooled"}, "output_pooled", "last_hidden_state"),
    ],
)
def test_a_call_chooses_what_it_gets(client: Client, options: Any, name: str, features: str) -> None:
    tokens = client.encode(ROCKET, **options)
    wanted = expected(name)
    assert tokens.shape == wanted.shape
    assert np.abs(tokens.numpy() - wanted).max() <= 5e-5 * np.abs(wanted).max()
    assert tokens.metadata.features == features
    assert tokens.metadata.class_token == ("class_token" in options)
    assert client.plan(640, 427, **options).metadata.shape == wanted.shape


def test_a_model_says_what_a_call_can_choose(client: Client) -> None:
    (model,) = client.models()
    assert model.features == "last_hidden_state"
    assert model.feature_layers == ("last_hidden_state", "penultimate", "-3")
    assert (model.class_token, model.pooled_channels) == (True, 24)


def test_what_a_model_does_not_give_is_refused_with_the_import_that_adds_it(client: Client) -> None:
    with pytest.raises(FailedPreconditionError, match=r"siglip-hd import SOURCE --out FOLDER --features .*,-4 "):
        client.encode(ROCKET, features="-4")
    with pytest.raises(InvalidArgumentError, match="output=pooled is one vector"):
        client.teacher_encode(ROCKET, output="pooled")
