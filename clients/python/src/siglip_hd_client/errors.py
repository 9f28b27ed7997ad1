"""What a call can fail with: one class for each code of the service, and three that only a client knows."""

from __future__ import annotations


class SiglipHdError(Exception):
    """A call that has no answer.

    Attributes:
        code: The service's name for the problem, such as ``overloaded``; the same over HTTP and gRPC.
        detail: A sentence that says what is wrong.
        request_id: What the service's log calls the request.
        retry_after: Seconds after which the service expects to have room, where it says so.
        is_transient: Whether the same call may succeed later. Calls are retried on these alone.
    """

    code: str = "unknown"
    is_transient: bool = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        is_transient: bool | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        if is_transient is not None:
            self.is_transient = is_transient

    def __str__(self) -> str:
        request = "" if self.request_id is None else f" (request {self.request_id})"
        return f"{self.code}: {self.detail}{request}"


class InvalidArgumentError(SiglipHdError):
    """Not an image, an unknown option, or a plan that cannot be."""

    code = "invalid_argument"


class UnauthenticatedError(SiglipHdError):
    """The API key is missing or wrong."""

    code = "unauthenticated"


class NotFoundError(SiglipHdError):
    """The service has no such model or path."""

    code = "not_found"


class MethodNotAllowedError(SiglipHdError):
    """The path has other methods: the URL may not be a siglip-hd service's."""

    code = "method_not_allowed"


class NotAcceptableError(SiglipHdError):
    """The answer cannot be given in this format or dtype."""

    code = "not_acceptable"


class RequestTimeoutError(SiglipHdError):
    """The request took too long to arrive at the service."""

    code = "request_timeout"
    is_transient = True


class FailedPreconditionError(SiglipHdError):
    """The model, feature layer or projector is not the one that the call expects."""

    code = "failed_precondition"


class TooLargeError(SiglipHdError):
    """The image, the request or the answer is over a limit of the service."""

    code = "too_large"


class UnsupportedMediaError(SiglipHdError):
    """The image is in a format that the service does not accept."""

    code = "unsupported_media"


class OverloadedError(SiglipHdError):
    """The service has no room at the moment; ``retry_after`` says when it expects some."""

    code = "overloaded"
    is_transient = True


class HeadersTooLargeError(SiglipHdError):
    """The URL and headers are over the service's limit."""

    code = "headers_too_large"


class RequestCancelledError(SiglipHdError):
    """The service saw the client leave."""

    code = "cancelled"


class InternalError(SiglipHdError):
    """The service failed; its log has the request id."""

    code = "internal"
    is_transient = True


class UnavailableError(SiglipHdError):
    """The service is starting or stopping, or an engine is down."""

    code = "unavailable"
    is_transient = True


class DeadlineExceededError(SiglipHdError, TimeoutError):
    """The answer was not ready, or could not be ready, within the call's timeout or the service's own."""

    code = "deadline_exceeded"


class CallTimeoutError(DeadlineExceededError):
    """The call's timeout ended before the service said anything."""


class ConnectionFailedError(SiglipHdError, ConnectionError):
    """There was no connection to the service, or it broke before the answer was complete."""

    code = "connection_failed"
    is_transient = True


class UnexpectedAnswerError(SiglipHdError):
    """The answer is not one that a siglip-hd service gives; a proxy's error page, for example.

    Attributes:
        status: The HTTP status, where the answer came over HTTP.
    """

    code = "unexpected_answer"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        is_transient: bool = False,
    ) -> None:
        super().__init__(detail, request_id=request_id, retry_after=retry_after, is_transient=is_transient)
        self.status = status


_SERVICE_ERRORS: tuple[type[SiglipHdError], ...] = (
    InvalidArgumentError,
    UnauthenticatedError,
    NotFoundError,
    MethodNotAllowedError,
    NotAcceptableError,
    RequestTimeoutError,
    FailedPreconditionError,
    TooLargeError,
    UnsupportedMediaError,
    OverloadedError,
    HeadersTooLargeError,
    RequestCancelledError,
    InternalError,
    UnavailableError,
    DeadlineExceededError,
)

#: The class of each code that the service names.
ERROR_CLASSES: dict[str, type[SiglipHdError]] = {error.code: error for error in _SERVICE_ERRORS}


def service_error(
    code: str, detail: str, *, request_id: str | None = None, retry_after: float | None = None
) -> SiglipHdError:
    """The error for a code that the service named; of a code that is newer than this client the base class."""
    error_class = ERROR_CLASSES.get(code, SiglipHdError)
    return error_class(detail, code=code, request_id=request_id, retry_after=retry_after)
