"""The errors of a call: one class for each error code of the service, and three of the client's own."""

from __future__ import annotations


class SiglipHdError(Exception):
    """A call failed.

    Attributes:
        code: The error code, such as ``overloaded``; the same over HTTP and gRPC.
        detail: A sentence that says what is wrong.
        request_id: The request's id in the service's log.
        retry_after: Seconds until the service expects to have room; None if it does not say.
        is_transient: Whether the same call may succeed later. The client retries only such errors.
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
    """The bytes are not an image, an option is unknown or invalid, or options contradict each other."""

    code = "invalid_argument"


class UnauthenticatedError(SiglipHdError):
    """The API key is missing or wrong."""

    code = "unauthenticated"


class NotFoundError(SiglipHdError):
    """The service has no such model, path or cached tokens."""

    code = "not_found"


class MethodNotAllowedError(SiglipHdError):
    """The path does not allow this method; the URL may not belong to a siglip-hd service."""

    code = "method_not_allowed"


class NotAcceptableError(SiglipHdError):
    """The service cannot answer in this format or dtype."""

    code = "not_acceptable"


class RequestTimeoutError(SiglipHdError):
    """The service did not receive the request in time."""

    code = "request_timeout"
    is_transient = True


class FailedPreconditionError(SiglipHdError):
    """The model, feature layer or projector is not the one that the call expects, or the model has no projector."""

    code = "failed_precondition"


class TooLargeError(SiglipHdError):
    """The image, the request or the answer exceeds a limit of the service."""

    code = "too_large"


class UnsupportedMediaError(SiglipHdError):
    """The service does not accept this image format."""

    code = "unsupported_media"


class OverloadedError(SiglipHdError):
    """The service is overloaded; ``retry_after`` says when to come back."""

    code = "overloaded"
    is_transient = True


class HeadersTooLargeError(SiglipHdError):
    """The URL and headers exceed the service's limit."""

    code = "headers_too_large"


class RequestCancelledError(SiglipHdError):
    """The request was cancelled."""

    code = "cancelled"


class InternalError(SiglipHdError):
    """The service failed; look for the request id in its log."""

    code = "internal"
    is_transient = True


class UnavailableError(SiglipHdError):
    """The service is starting or stopping, or its engine is down."""

    code = "unavailable"
    is_transient = True


class DeadlineExceededError(SiglipHdError, TimeoutError):
    """The service did not answer, or could not have answered, within the call's timeout or its own."""

    code = "deadline_exceeded"


class CallTimeoutError(DeadlineExceededError):
    """The call timed out without an answer from the service."""


class ConnectionFailedError(SiglipHdError, ConnectionError):
    """The client could not connect to the service, or the connection broke."""

    code = "connection_failed"
    is_transient = True


class UnexpectedAnswerError(SiglipHdError):
    """The answer does not come from a siglip-hd service; it may be a proxy's error page.

    Attributes:
        status: The HTTP status, if the answer came over HTTP.
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

#: The class of each error code of the service.
ERROR_CLASSES: dict[str, type[SiglipHdError]] = {error.code: error for error in _SERVICE_ERRORS}


def service_error(
    code: str, detail: str, *, request_id: str | None = None, retry_after: float | None = None
) -> SiglipHdError:
    """The error for one of the service's codes; the base class if the code is newer than this client."""
    error_class = ERROR_CLASSES.get(code, SiglipHdError)
    return error_class(detail, code=code, request_id=request_id, retry_after=retry_after)
