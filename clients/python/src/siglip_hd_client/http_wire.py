"""Converts calls to HTTP requests, and responses to replies."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .call import Call, Digest, EncodeCall, ModelsCall, PlanCall, Reply
from .errors import SiglipHdError, UnexpectedAnswerError, service_error
from .metadata import Recipe, Source, Timings
from .options import WIRE_OPTIONS

_PATHS: dict[Recipe, str] = {
    "encode": "/v1/encode",
    "teacher": "/v1/teacher-encode",
    "anyres": "/v1/anyres-encode",
}
_LONGEST_TIMEOUT_MS = 86_400_000
_SOURCES: dict[str, Source] = {"hit": "hit", "joined": "joined", "miss": "miss"}


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request; its path is relative to the service's URL."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes | None = None


def http_request(call: Call, timeout_s: float | None) -> HttpRequest:
    """A call as an HTTP request."""
    headers = _headers(call, timeout_s)
    if isinstance(call, ModelsCall):
        return HttpRequest("GET", "/v1/models", {}, headers)
    query = {name: WIRE_OPTIONS[call.recipe][name].kind.text(value) for name, value in call.options.items()}
    if isinstance(call, PlanCall):
        size = {"recipe": call.recipe, "width": str(call.size.width), "height": str(call.size.height)}
        return HttpRequest("GET", "/v1/plan", {**size, **query}, headers)
    path, query = _PATHS[call.recipe], {**query, "format": "raw"}
    if isinstance(call.image, Digest):
        return HttpRequest("GET", path, {**query, "image": call.image.text}, headers)
    headers["content-type"] = "application/octet-stream"
    return HttpRequest("POST", path, query, headers, call.image.body)


def _headers(call: Call, timeout_s: float | None) -> dict[str, str]:
    terms = call.terms
    # Tokens do not compress.
    headers = {"x-request-id": terms.request_id, "accept-encoding": "identity"}
    if terms.priority is not None:
        headers["priority"] = terms.priority
    if terms.no_store:
        headers["cache-control"] = "no-store"
    if timeout_s is not None:
        headers["request-timeout-ms"] = str(max(1, min(int(timeout_s * 1000), _LONGEST_TIMEOUT_MS)))
    return headers


def read_reply(call: Call, headers: Mapping[str, str], body: bytearray) -> Reply:
    """The reply in a 200 response. Raises UnexpectedAnswerError if it does not come from the service."""
    request_id = headers.get("x-request-id", call.terms.request_id)
    if not isinstance(call, EncodeCall):
        return Reply(_json_object(body, "body", request_id), request_id=request_id)
    metadata = headers.get("tokens-meta")
    if metadata is None:
        raise UnexpectedAnswerError(
            "The answer has no tokens-meta header; check that the URL is a siglip-hd service's.",
            status=200,
            request_id=request_id,
        )
    return Reply(
        _json_object(metadata, "tokens-meta header", request_id),
        body,
        timings=_timings(headers.get("server-timing", "")),
        source=_SOURCES.get(headers.get("tokens-cache", "")),
        request_id=request_id,
    )


def read_error(call: Call, status: int, headers: Mapping[str, str], body: bytes | bytearray) -> SiglipHdError:
    """The error for a status other than 200."""
    request_id = headers.get("x-request-id", call.terms.request_id)
    retry_after = retry_after_s(headers)
    problem = _problem(headers, body)
    if problem is not None:
        return service_error(
            str(problem["code"]),
            str(problem.get("detail", "")),
            request_id=str(problem.get("request_id", request_id)),
            retry_after=retry_after,
        )
    location = headers.get("location")
    if 300 <= status < 400 and location is not None:
        return UnexpectedAnswerError(
            f"HTTP {status} redirects to {location}. The client does not follow redirects.",
            status=status,
            request_id=request_id,
        )
    text = " ".join(bytes(body[:400]).decode("utf-8", "replace").split())[:200]
    return UnexpectedAnswerError(
        f"HTTP {status}, not from a siglip-hd service: {text or 'an empty body'}",
        status=status,
        request_id=request_id,
        retry_after=retry_after,
        is_transient=status in (408, 409, 429) or status >= 500,
    )


def _problem(headers: Mapping[str, str], body: bytes | bytearray) -> dict[str, Any] | None:
    if not headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "code" in problem else None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or else ``Retry-After``, in seconds or as a date."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    date = email.utils.parsedate_tz(headers.get("retry-after"))
    try:
        return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
    except (ValueError, OverflowError):
        return None


def _timings(header: str) -> Timings:
    found = {stage: float(ms) for stage, ms in re.findall(r"(\w+);dur=(\d+(?:\.\d+)?)", header)}
    return Timings(
        decode_ms=found.get("decode", 0.0),
        views_ms=found.get("views", 0.0),
        queue_ms=found.get("queue", 0.0),
        engine_ms=found.get("engine", 0.0),
        assemble_ms=found.get("assemble", 0.0),
    )


def _json_object(text: str | bytearray, what: str, request_id: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise UnexpectedAnswerError(f"The answer's {what} is not a JSON object.", request_id=request_id)
