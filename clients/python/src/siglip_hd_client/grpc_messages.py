"""Message classes of the service's gRPC contract, built at import.

Code that protoc generates works with a limited range of protobuf versions. ``encoder.binpb`` is the contract as a
serialized FileDescriptorSet, which every version reads. Needs protobuf (``pip install 'siglip-hd-client[grpc]'``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from .errors import InvalidArgumentError

PACKAGE = "siglip_hd.v1"
SERVICE = f"{PACKAGE}.VisualEncoderService"


def _status_file() -> descriptor_pb2.FileDescriptorProto:
    """google.rpc.Status and ErrorInfo, with the field numbers of status.proto and error_details.proto."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status_and_error_info.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=["google/protobuf/any.proto"],
    )
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=kind.TYPE_INT32, label=kind.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=kind.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
        label=kind.LABEL_REPEATED,
    )
    info = file.message_type.add(name="ErrorInfo")
    info.field.add(name="reason", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    info.field.add(name="domain", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    return file


def _pool() -> DescriptorPool:
    contract = descriptor_pb2.FileDescriptorSet.FromString(files(__package__).joinpath("encoder.binpb").read_bytes())
    any_file = descriptor_pb2.FileDescriptorProto()
    any_pb2.DESCRIPTOR.CopyToProto(any_file)
    pool = DescriptorPool()
    for file in (any_file, _status_file(), *contract.file):
        pool.Add(file)
    return pool


_POOL = _pool()


def message_class(name: str) -> type[Message]:
    """The class of the message with this full name."""
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


def method_classes(method: str) -> tuple[type[Message], type[Message]]:
    """The request and response classes of a method."""
    found = _POOL.FindServiceByName(SERVICE).methods_by_name[method]
    return GetMessageClass(found.input_type), GetMessageClass(found.output_type)


def set_field(message: Message, name: str, value: Any) -> None:
    """Sets a field to an option's value: an enum to the value's name, a message to its fields in order.

    Raises InvalidArgumentError if the field or the value does not exist.
    """
    field: Any = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise InvalidArgumentError(
            f"This client's gRPC contract has no option {name}: use an http:// URL or a newer client."
        )
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        sides = getattr(message, name)
        for side, number in zip(field.message_type.fields, value, strict=True):
            setattr(sides, side.name, number)
    elif field.type == FieldDescriptor.TYPE_ENUM:
        setattr(message, name, _enum_number(field, str(value)))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        getattr(message, name).extend(value)
    else:
        setattr(message, name, value)


def _enum_number(field: Any, value: str) -> int:
    enum = field.enum_type
    numbers = {_wire_name(enum, name): found.number for name, found in enum.values_by_name.items()}
    number = numbers.get(value)
    if number is None or number == 0:
        names = ", ".join(name for name, found in numbers.items() if found != 0)
        raise InvalidArgumentError(f"Option {field.name} is {value!r}; use one of {names}.")
    return int(number)


def fields_of(message: Message) -> dict[str, Any]:
    """A message as HTTP's JSON: enums as names, without fields that are not set."""
    return {field.name: _plain(message, field) for field in message.DESCRIPTOR.fields if _is_there(message, field)}


def _is_there(message: Message, field: Any) -> bool:
    if field.has_presence:
        return message.HasField(field.name)
    return bool(field.type != FieldDescriptor.TYPE_ENUM or getattr(message, field.name) != 0)


def _plain(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if isinstance(value, Message):
        return fields_of(value)
    if field.type == FieldDescriptor.TYPE_ENUM and isinstance(value, int):
        known = field.enum_type.values_by_number.get(value)
        return str(value) if known is None else _wire_name(field.enum_type, known.name)
    if isinstance(value, str | bytes | int | float):
        return value
    return [fields_of(item) if isinstance(item, Message) else item for item in value]


def _wire_name(enum: Any, name: str) -> str:
    """``last_hidden_state`` of FeatureLayer's FEATURE_LAYER_LAST_HIDDEN_STATE."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
    return name.removeprefix(f"{prefix}_").lower()


def reason_of(trailer: Mapping[str, Any]) -> str | None:
    """The error code in ``grpc-status-details-bin``; None if there is none of the service's."""
    details = trailer.get("grpc-status-details-bin")
    if not isinstance(details, bytes):
        return None
    status: Any = message_class("google.rpc.Status").FromString(details)
    for detail in status.details:
        if detail.type_url == "type.googleapis.com/google.rpc.ErrorInfo":
            info: Any = message_class("google.rpc.ErrorInfo").FromString(detail.value)
            if info.domain == "siglip-hd":
                return str(info.reason)
    return None
