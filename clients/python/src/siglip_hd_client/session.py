"""The logic that the sync and async clients share."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from .call import EncodeCall, ModelsCall, PlanCall, Reply, Terms
from .errors import UnexpectedAnswerError
from .images import ImageInput, read_image
from .metadata import Metadata, Plan, Recipe, Size
from .models import Model
from .options import Asked, CallOptions, take_apart
from .retry import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT_S
from .steps import Clock, Limits, SentDigests, Steps, digest_first, with_retries
from .tokens import Tokens

SYSTEM_CLOCK = Clock(now=time.monotonic, chance=random.random)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Session:
    """A client's defaults and state.

    Attributes:
        defaults: Default options of every call.
        sent: The files that were sent before; None to send every file.
        clock: Time and randomness.
    """

    defaults: CallOptions
    sent: SentDigests | None = field(default_factory=SentDigests)
    clock: Clock = SYSTEM_CLOCK

    def with_defaults(self, options: CallOptions) -> Session:
        """A session with these options merged into the defaults."""
        return replace(self, defaults=cast(CallOptions, {**self.defaults, **options}))

    def check(self, recipe: Recipe, options: Mapping[str, Any]) -> None:
        """Raises TypeError if the recipe lacks an option, and ValueError if an option or the recipe is invalid."""
        take_apart(recipe, self.defaults, cast(CallOptions, options))

    def encode(self, recipe: Recipe, image: ImageInput, options: Mapping[str, Any]) -> Steps[Tokens]:
        """Encodes an image. Reads it before returning; the deadline includes the reading."""
        asked = take_apart(recipe, self.defaults, cast(CallOptions, options))
        limits = self._limits(asked)
        sent_image = read_image(image, exif=asked.wire.get("exif", "apply"))
        call = EncodeCall(recipe, sent_image, asked.wire, _terms(asked))
        return self._encode(call, limits)

    def _encode(self, call: EncodeCall, limits: Limits) -> Steps[Tokens]:
        reply = yield from (
            with_retries(call, limits, self.clock)
            if self.sent is None
            else digest_first(call, self.sent, limits, self.clock)
        )
        return _understood(reply, _tokens)

    def plan(self, recipe: Recipe, size: Size, options: Mapping[str, Any]) -> Steps[Plan]:
        """Asks what an encode would return."""
        asked = take_apart(recipe, self.defaults, cast(CallOptions, options))
        call = PlanCall(recipe, size, asked.wire, _terms(asked))
        reply = yield from with_retries(call, self._limits(asked), self.clock)
        return _understood(reply, lambda reply: Plan.from_fields(reply.fields))

    def models(self, options: Mapping[str, Any]) -> Steps[tuple[Model, ...]]:
        """Lists the served models."""
        asked = take_apart(None, self.defaults, cast(CallOptions, options))
        reply = yield from with_retries(ModelsCall(_terms(asked)), self._limits(asked), self.clock)
        return _understood(reply, lambda reply: tuple(Model.from_fields(model) for model in reply.fields["models"]))

    def _limits(self, asked: Asked) -> Limits:
        timeout_s = asked.terms.get("timeout", DEFAULT_TIMEOUT_S)
        return Limits(
            deadline=None if timeout_s is None else self.clock.now() + timeout_s,
            max_retries=asked.terms.get("max_retries", DEFAULT_MAX_RETRIES),
        )


def _terms(asked: Asked) -> Terms:
    terms = asked.terms
    return Terms(
        request_id=terms.get("request_id") or str(uuid.uuid4()),
        priority=terms.get("priority"),
        no_store=terms.get("no_store", False),
    )


def _tokens(reply: Reply) -> Tokens:
    metadata = Metadata.from_fields(reply.fields)
    return Tokens(reply.data, metadata, reply.timings, reply.source, reply.request_id)


def _understood(reply: Reply, read: Callable[[Reply], Answer]) -> Answer:
    try:
        return read(reply)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswerError(
            f"The client cannot read the answer: {type(error).__name__}: {error}",
            request_id=reply.request_id,
        ) from error
