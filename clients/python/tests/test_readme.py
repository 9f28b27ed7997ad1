"""The page's own lines, run against the real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import FIXTURES, ROCKET, Service
from siglip_hd_client import Client

README = Path(__file__).parents[1] / "README.md"


def block(containing: str) -> str:
    """The page's only block of Python with this text."""
    (found,) = [
        code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if containing in code
    ]
    return str(found)


def test_the_first_lines_work(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").write_bytes(ROCKET.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(block("import Client\n").replace("http://localhost:8080", service.http_url), {})
    printed = capsys.readouterr().out
    assert "(1024, 32) float16 Size(width=32, height=32)" in printed
    assert "0 (1024, 32)" in printed
    assert "No such file or directory: 'missing.jpg'" in printed


def test_the_lines_on_anyres_work(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.png").write_bytes((FIXTURES / "images" / "page.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    with Client(service.http_url) as client:
        names: dict[str, object] = {"client": client}
        exec(block("anyres_encode"), names)
    assert names["base"].shape == (1024, 32)  # type: ignore[attr-defined]
    assert names["rows"].shape[2] == 32  # type: ignore[attr-defined]


def test_the_lines_on_errors_work(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    lines = block("OverloadedError").replace('"photo.jpg"', 'b"no image"')
    with Client(service.http_url) as client:
        exec(lines, {"client": client})
    assert capsys.readouterr().out.startswith("invalid_argument The bytes are not an image")


def test_the_lines_on_connections_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_bytes((FIXTURES / "tls" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(block("grpcs://"), {"Client": Client, "key": "secret"})
