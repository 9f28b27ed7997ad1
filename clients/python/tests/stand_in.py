"""A server of HTTP that answers as a test says, for what no healthy service does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scripted import FIELDS


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """Where it is, and what it saw."""

    url: str
    seen: list[Seen] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


def tokens_answer(handler: BaseHTTPRequestHandler) -> None:
    """What the service answers: tokens of four rows and two channels."""
    send(handler, 200, bytes(16), {"tokens-meta": json.dumps(FIELDS), "tokens-cache": "miss"})


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Writes an answer, with its length unless the headers say one."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def problem(status: int, code: str, **headers: str) -> Answer:
    """An answer of application/problem+json."""
    body = json.dumps({"code": code, "detail": f"It is {code}.", "status": status, "request_id": "r1"}).encode()
    return lambda handler: send(
        handler,
        status,
        body,
        {"content-type": "application/problem+json", **{name.replace("_", "-"): v for name, v in headers.items()}},
    )


@contextmanager
def stand_in(*answers: Answer) -> Iterator[StandIn]:
    """Answers request after request; the last answer answers all that follow."""
    lines = list(answers)
    state: StandIn

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.seen.append(Seen(self.command, self.path, headers, body))
            line = lines[0] if len(lines) == 1 else lines.pop(0)
            line(self)

        do_GET = do_POST = _answer  # noqa: N815 - the standard library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = StandIn(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
