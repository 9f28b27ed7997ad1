"""The real service, started once for all tests that ask for it."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest_plugins = ["scripted"]

REPOSITORY = Path(__file__).resolve().parents[3]
FIXTURES = REPOSITORY / "test" / "fixtures"
ROCKET = FIXTURES / "images" / "rocket.jpg"


_given_ports: set[int] = set()


def free_port() -> int:
    """A port that is free now, and another one with each call."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


@dataclass
class Service:
    """``siglip-hd serve`` in a process of its own."""

    arguments: tuple[str, ...]
    http_port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    tls: ssl.SSLContext | None = None
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def _suffix(self) -> str:
        return "" if self.tls is None else "s"

    @property
    def http_url(self) -> str:
        return f"http{self._suffix}://127.0.0.1:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        return f"grpc{self._suffix}://127.0.0.1:{self.grpc_port}"

    def start(self, limit_s: float = 120) -> None:
        """Returns when it is ready."""
        listening = ["--host=127.0.0.1", f"--http-port={self.http_port}", f"--grpc-port={self.grpc_port}"]
        command = [
            "node",
            "bin/siglip-hd.cjs",
            "serve",
            *listening,
            "--log-level=warn",
            "--warm-up-ms=0",
            "--max-batch=4",
            *self.arguments,
        ]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **self.environment})
        deadline = time.monotonic() + limit_s
        while not self._is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"The service ended with {self.process.returncode}.")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"The service was not ready within {limit_s} s.")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http_url}/readyz", timeout=5, context=self.tls):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it at once, whatever it is at."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def models() -> Iterator[dict[str, str]]:
    """Folders of the two tiny models, imported."""
    if shutil.which("node") is None or not (REPOSITORY / "build" / "src").is_dir():
        reason = "there is no node, or the service is not built (npm ci && npm run build)"
        if os.environ.get("REQUIRE_EXTERNAL"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="siglip-hd-client-") as folder:
        found = {}
        for name, features in (("siglip-tiny", "penultimate"), ("clip-tiny", "penultimate")):
            out = f"{folder}/{name}"
            subprocess.run(
                ["node", "bin/siglip-hd.cjs", "import", f"test/fixtures/{name}", "--out", out, "--features", features],
                cwd=REPOSITORY,
                check=True,
                capture_output=True,
            )
            found[name] = out
        yield found


@pytest.fixture(scope="session")
def layers(models: dict[str, str]) -> Iterator[Service]:
    """A service of a CLIP with several hidden states, class tokens and pooled vectors."""
    with tempfile.TemporaryDirectory(prefix="siglip-hd-client-") as folder:
        flags = ["--features", "last_hidden_state,penultimate,-3", "--class-token", "--pooled"]
        source = "test/fixtures/layers/clip-projected"
        command = ["node", "bin/siglip-hd.cjs", "import", source, "--out", f"{folder}/clip", *flags]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        running = Service((f"--model=clip={folder}/clip",))
        running.start()
        yield running
        running.kill()


@pytest.fixture(scope="session")
def service(models: dict[str, str]) -> Iterator[Service]:
    """A service of both tiny models, penultimate layers; `siglip-tiny` is the default."""
    running = Service(tuple(f"--model={name}={folder}" for name, folder in models.items()))
    running.start()
    yield running
    running.kill()


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, service: Service) -> str:
    """The service's URL, of either transport."""
    if request.param == "http":
        return service.http_url
    pytest.importorskip("grpc")
    return service.grpc_url


@pytest.fixture
def rocket() -> bytes:
    """A JPEG of more than 64 KiB, 640 x 427."""
    return ROCKET.read_bytes()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tester's environment says of services is not the tests' business."""
    for name in ("SIGLIPHD_URL", "SIGLIPHD_API_KEY"):
        monkeypatch.delenv(name, raising=False)
