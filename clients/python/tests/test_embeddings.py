"""Embeddings of whole VLM checkpoints, from the real service, against transformers' own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from conftest import FIXTURES, REPOSITORY, Service
from siglip_hd_client import Client, FailedPreconditionError, Tokens
from siglip_hd_client.vllm import image_embeds_part

VLM = FIXTURES / "vlm"
CHECKPOINTS = FIXTURES / "vlm-checkpoints"
#: One for each way to embed: an MLP, AnyRes with newline rows, pooling, pixel shuffle.
NAMES = ("llava-clip", "llava-next", "gemma3", "smolvlm")
CASES: list[dict[str, Any]] = [
    case for case in json.loads((VLM / "cases.json").read_text())["cases"] if case["checkpoint"] in NAMES
]


@pytest.fixture(scope="module")
def vlm_service(models: dict[str, str]) -> Iterator[Service]:
    """A service of four VLM checkpoints, and of a tower without a projector."""
    with tempfile.TemporaryDirectory(prefix="siglip-hd-client-") as folder:
        for name in NAMES:
            source = str(CHECKPOINTS / name)
            command = ["node", "bin/siglip-hd.cjs", "import", source, "--out", f"{folder}/{name}"]
            subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        folders = {**{name: f"{folder}/{name}" for name in NAMES}, "tower": models["siglip-tiny"]}
        running = Service(tuple(f"--model={name}={path}" for name, path in folders.items()))
        running.start()
        yield running
        running.kill()


@pytest.fixture(params=["http", "grpc"])
def client(request: pytest.FixtureRequest, vlm_service: Service) -> Iterator[Client]:
    if request.param == "grpc":
        pytest.importorskip("grpc")
    with Client(vlm_service.http_url if request.param == "http" else vlm_service.grpc_url) as one:
        yield one


#: How the cases write options that are not text.
READ: dict[str, Any] = {
    "max_grid": lambda text: tuple(map(int, text.split("x"))),
    "max_tiles": int,
    "scales": lambda text: tuple(map(int, text.split(","))),
    "weights": lambda text: tuple(map(float, text.split(","))),
}


def image_of(case: dict[str, Any]) -> Path:
    name: str = case["image"]
    return (VLM if name.startswith("views/") else FIXTURES / "images") / name


def encode(client: Client, case: dict[str, Any]) -> Tokens:
    recipe = {"Encode": client.encode, "TeacherEncode": client.teacher_encode, "AnyResEncode": client.anyres_encode}
    options = {name: READ.get(name, str)(text) for name, text in case["request"].items()}
    tokens: Tokens = recipe[case["rpc"]](image_of(case), model=case["checkpoint"], dtype="float32", **options)
    return tokens


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["expected"])
def test_embeddings_are_those_of_the_checkpoint(client: Client, case: dict[str, Any]) -> None:
    tokens = encode(client, case)
    expected = np.load(VLM / "expected" / case["expected"])
    assert tokens.metadata.output == case["request"]["output"]
    assert (tokens.metadata.projector is None) == (tokens.metadata.output == "features")
    assert tokens.shape == expected.shape
    assert np.abs(tokens.numpy() - expected).max() <= 5e-5 * case["max"]


def test_anyres_embeddings_have_a_newline_row_after_each_line(client: Client) -> None:
    tokens = client.anyres_encode(FIXTURES / "images" / "rocket.jpg", model="llava-next", output="embeddings")
    anyres = tokens.anyres
    assert anyres is not None
    assert anyres.newlines == anyres.spatial.height > 0
    assert tokens.shape[0] == anyres.base_tokens + anyres.spatial.width * anyres.spatial.height + anyres.newlines


def test_a_model_says_what_its_embeddings_are(client: Client) -> None:
    models = {model.name: model for model in client.models()}
    assert models["tower"].projector is None
    for name in NAMES:
        projector = models[name].projector
        assert projector is not None
        plan = client.plan(512, 512, model=name, output="embeddings")
        rows = projector.grid.width * projector.grid.height
        assert plan.metadata.shape == (rows, projector.hidden_size)
        served = plan.metadata.projector
        assert served is not None
        assert (served.family, served.digest) == (projector.family, projector.digest)
        assert projector.tokens == rows
        assert projector.any_grid == (name not in ("gemma3", "smolvlm"))
    assert models["llava-next"].projector is not None
    assert models["llava-next"].projector.newline


def test_a_model_says_the_anyres_that_it_was_trained_with(client: Client) -> None:
    models = {model.name: model for model in client.models()}
    assert models["llava-clip"].anyres is None
    anyres = models["llava-next"].anyres
    assert anyres is not None
    assert len(anyres.grids) > 1
    assert anyres.resample in ("bilinear", "bicubic", "lanczos")
    tokens = client.anyres_encode(FIXTURES / "images" / "rocket.jpg", model="llava-next")
    assert tokens.anyres is not None
    assert tokens.anyres.tile_grid in anyres.grids


def test_embeddings_of_another_projector_are_refused(client: Client) -> None:
    image = FIXTURES / "images" / "rocket.jpg"
    digests = {model.name: model.projector and model.projector.digest for model in client.models()}
    options: Any = {"output": "embeddings", "model": "llava-clip"}
    client.encode(image, expect_projector_digest=str(digests["llava-clip"]), **options)
    with pytest.raises(FailedPreconditionError, match="digest"):
        client.encode(image, expect_projector_digest=str(digests["gemma3"]), **options)


def test_a_model_without_a_projector_has_no_embeddings(client: Client) -> None:
    with pytest.raises(FailedPreconditionError, match="projector"):
        client.encode(FIXTURES / "images" / "rocket.jpg", model="tower", output="embeddings")


def test_embeddings_become_a_part_for_vllm(client: Client) -> None:
    tokens = client.anyres_encode(FIXTURES / "images" / "rocket.jpg", model="llava-next", output="embeddings")
    part = image_embeds_part(tokens)
    assert part["type"] == "image_embeds"
    assert len(part["image_embeds"]) > 4 * len(tokens.data) // 3


def test_the_lines_of_the_docs_give_a_part_for_vllm_and_raise_for_another_projector(
    vlm_service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (REPOSITORY / "docs" / "llm-servers.md").read_text()
    lines = page[page.index("import httpx, openai") : page.index("answer = openai")].replace(", openai", "")
    lines = lines.replace("http://localhost:8080", vlm_service.http_url)
    (tmp_path / "photo.jpg").write_bytes((FIXTURES / "images" / "rocket.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    with Client(vlm_service.http_url) as client:
        digests = [model.projector.digest for model in client.models() if model.projector is not None]
    names: dict[str, Any] = {}
    # The default model is the first.
    exec(lines.replace("sha256:...", digests[0]), names)
    assert names["part"]["type"] == "image_embeds"
    with pytest.raises(httpx.HTTPStatusError, match="412"):
        exec(lines.replace("sha256:...", digests[1]), {})
