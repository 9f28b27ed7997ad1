"""Converts calls to gRPC requests, and responses to replies. Needs grpcio and protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from .call import Call, Digest, EncodeCall, ModelsCall, PlanCall, Reply
from .connection import Connection
from .errors import (
    CallTimeoutError,
    InvalidArgumentError,
    SiglipHdError,
    service_error,
)
from .grpc_messages import SERVICE, fields_of, method_classes, reason_of, set_field
from .images import FileImage, SentImage
from .metadata import Fields, Recipe, Source, Timings
from .options import WIRE_OPTIONS
from .unreachable import broken, certificate_reason, closed_reason, tls_reason, unreachable

_METHODS: dict[Recipe, str] = {"encode": "Encode", "teacher": "TeacherEncode", "anyres": "AnyResEncode"}
_SOURCES: dict[str, Source] = {"hit": "hit", "joined": "joined", "miss": "miss"}

#: Codes for failures that the gRPC library reports on either side, without a code of the service.
_CODES_BY_STATUS = {
    grpc.StatusCode.CANCELLED: "cancelled",
    grpc.StatusCode.INVALID_ARGUMENT: "invalid_argument",
    grpc.StatusCode.UNIMPLEMENTED: "not_found",
    grpc.StatusCode.UNAUTHENTICATED: "unauthenticated",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
}


@dataclass(frozen=True)
class GrpcRequest:
    """A request to a method."""

    method: str
    message: Message
    metadata: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        """The method's path."""
        return f"/{SERVICE}/{self.method}"


def method_of(call: Call) -> str:
    """The name of a call's method."""
    if isinstance(call, ModelsCall):
        return "ListModels"
    return "Plan" if isinstance(call, PlanCall) else _METHODS[call.recipe]


def grpc_request(call: Call) -> GrpcRequest:
    """A call as a gRPC request. Raises InvalidArgumentError if the contract cannot express it."""
    method = method_of(call)
    request: Any = method_classes(method)[0]()
    if isinstance(call, EncodeCall):
        _set_image(request.image, call.image)
    elif isinstance(call, PlanCall):
        request.image.width, request.image.height = call.size.width, call.size.height
        # Even an empty message selects the recipe.
        getattr(request, call.recipe).SetInParent()
    if not isinstance(call, ModelsCall):
        for name, value in call.options.items():
            section = getattr(request, WIRE_OPTIONS[call.recipe][name].message)
            set_field(section, name, value)
    return GrpcRequest(method, request, _metadata(call))


def _set_image(message: Any, image: SentImage | Digest) -> None:
    if isinstance(image, Digest):
        message.digest = image.text
    elif isinstance(image, FileImage):
        message.file = image.data
    elif image.pixels.ndim == 3:
        message.raw.height, message.raw.width = image.pixels.shape[:2]
        message.raw.rgb = image.pixels.tobytes()
    else:
        raise InvalidArgumentError(
            "gRPC takes one image a call: use encode_many for several images, or an http:// URL for a stack."
        )


def _metadata(call: Call) -> tuple[tuple[str, str], ...]:
    terms = call.terms
    pairs = [("x-request-id", terms.request_id)]
    if terms.priority is not None:
        pairs.append(("priority", terms.priority))
    if terms.no_store:
        pairs.append(("cache-control", "no-store"))
    return tuple(pairs)


def read_reply(call: Call, response: Any, initial: Mapping[str, Any]) -> Reply:
    """The reply in a method's response."""
    request_id = str(initial.get("x-request-id", call.terms.request_id))
    if isinstance(call, ModelsCall | PlanCall):
        return Reply(fields_of(response), request_id=request_id)
    fields = fields_of(response.metadata)
    return Reply(
        fields,
        bytearray(response.tensor.data),
        timings=_timings(fields_of(response.timings)),
        source=_SOURCES.get(fields_of(response).get("source", "")),
        request_id=request_id,
    )


def _timings(fields: Fields) -> Timings:
    return Timings(**{name: float(fields.get(name, 0.0)) for name in Timings.__dataclass_fields__})


def read_error(
    connection: Connection, call: Call, status: grpc.StatusCode, details: str | None, trailer: Mapping[str, Any]
) -> SiglipHdError:
    """The error for a status other than OK."""
    request_id = str(trailer.get("x-request-id", call.terms.request_id))
    detail = details or status.name
    reason = reason_of(trailer)
    if reason is not None:
        return service_error(reason, detail, request_id=request_id, retry_after=_retry_after_s(trailer))
    if status == grpc.StatusCode.UNAVAILABLE:
        return _connection_error(connection, detail, request_id)
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        return CallTimeoutError("The service did not answer in time.", request_id=request_id)
    if status == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than" in detail:
        return service_error("too_large", detail, request_id=request_id)
    return service_error(_CODES_BY_STATUS.get(status, "internal"), detail, request_id=request_id)


def _connection_error(connection: Connection, detail: str, request_id: str) -> SiglipHdError:
    """The error for UNAVAILABLE: only gRPC's text tells a missing connection from a broken one."""
    if "Failed parsing HTTP/2" in detail:
        return unreachable(connection, "the port does not speak HTTP/2. Use an http:// URL, or the gRPC port.")
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return unreachable(connection, certificate_reason("CERTIFICATE_VERIFY_FAILED"))
    if "handshake failed" in detail:
        return unreachable(connection, tls_reason(detail))
    # gRPC nests the reasons: "...; last error: UNKNOWN: ipv4:127.0.0.1:1: ...: Connection refused".
    last = detail.rpartition(": ")[2].rstrip("]")
    last = last[:1].lower() + last[1:]
    if "failed to connect" in detail.lower() and last == "socket closed":
        return broken(connection, closed_reason(connection), request_id)
    if "failed to connect" in detail.lower() or "resolving" in detail or "DNS" in detail:
        return unreachable(connection, last)
    return broken(connection, detail, request_id)


def _retry_after_s(trailer: Mapping[str, Any]) -> float | None:
    pushback = str(trailer.get("grpc-retry-pushback-ms", ""))
    return int(pushback) / 1000 if pushback.isdigit() else None
