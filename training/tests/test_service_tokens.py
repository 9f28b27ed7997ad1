"""A running siglip-hd service is the teacher."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny
from siglip_hd_training.__main__ import main

pytest.importorskip("siglip_hd_client", reason="the Python client is not installed")
pytest.importorskip("grpc")

LIMIT_S = 120


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("node") is None or not (tiny.REPOSITORY / "build" / "src").is_dir():
        pytest.skip("there is no node, or the service is not built (npm ci && npm run build)")
    model = tmp_path_factory.mktemp("served") / "tiny"
    command = ["node", "bin/siglip-hd.cjs"]
    source = ["import", "test/fixtures/siglip-tiny", "--out", str(model)]
    subprocess.run([*command, *source], cwd=tiny.REPOSITORY, check=True, capture_output=True, timeout=LIMIT_S)
    http, grpc = free_port(), free_port()
    ports = ["--host=127.0.0.1", f"--http-port={http}", f"--grpc-port={grpc}"]
    flags = [f"--model={model}", "--warm-up-ms=0", "--max-batch=4", "--log-level=warn"]
    process = subprocess.Popen([*command, "serve", *ports, *flags], cwd=tiny.REPOSITORY, env=os.environ)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not is_ready(http):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"grpc://127.0.0.1:{grpc}"
    finally:
        process.kill()
        process.wait()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_images(tmp_path_factory.mktemp("images"), 3)
    # A format that the trainer decodes and the service does not.
    shutil.move(folder / "000.png", folder / "source")
    from PIL import Image

    Image.open(folder / "source").save(folder / "000.bmp")
    return folder


def losses(images: Path, out: Path, *flags: str) -> list[float]:
    fixed = ["--steps=3", "--warm-up-steps=1", "--batch=2", "--micro-batch=1", "--learning-rate=1e-3", "--workers=1"]
    base = f"--model={tiny.FIXTURES / 'siglip-tiny'}"
    given = ["train", base, f"--images={images}", f"--out={out}", "--log-every=1", "--pictures-every=0", *fixed, *flags]
    assert main(given) == 0
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]


def test_a_service_teaches_what_the_same_teacher_in_the_process_does(
    service: str, images: Path, tmp_path: Path
) -> None:
    flags = ["--scales=512,1024", "--weights=1,2"]
    remote = losses(images, tmp_path / "remote", f"--teacher={service}", *flags)
    assert remote == pytest.approx(losses(images, tmp_path / "local", *flags), rel=2e-3)


def test_a_service_of_another_layer_or_model_is_refused(
    service: str, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [f"--model={tiny.FIXTURES / 'siglip-tiny'}", f"--images={images}", f"--out={tmp_path}", "--steps=9000"]
    for flag, message in (
        ("--features=pre_norm", "serves last_hidden_state, and features is pre_norm"),
        ("--teacher-model=big", "serves no big, but tiny"),
    ):
        assert main(["train", *base, f"--teacher={service}", flag]) == 1
        assert message in capsys.readouterr().err


def test_a_service_that_does_not_answer_ends_the_run_before_it_begins(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("siglip_hd_training.service_tokens._MAX_RETRIES", 0)
    base = [f"--model={tiny.FIXTURES / 'siglip-tiny'}", f"--images={images}", f"--out={tmp_path}", "--steps=9000"]
    assert main(["train", *base, f"--teacher=grpc://127.0.0.1:{free_port()}"]) == 1
    assert "does not answer" in capsys.readouterr().err
