"""Decides when to retry a call, by the rules of OpenAI's Python client."""

from __future__ import annotations

from .errors import SiglipHdError

#: Attempts after the first.
DEFAULT_MAX_RETRIES = 2
#: For the whole call, in seconds.
DEFAULT_TIMEOUT_S = 600.0

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
#: The client does not wait if the service asks for more than this.
_LONGEST_RETRY_AFTER_S = 120.0
#: The random part of a wait, so that clients that were refused together do not retry together.
_JITTER = 0.25


def wait_before_retry(error: SiglipHdError, retries: int, chance: float) -> float | None:
    """Seconds to wait before retrying a failed call; None if a retry makes no sense.

    If the service names a delay, the wait is that and up to a quarter more. Otherwise it is half a second, doubled with
    each retry up to 8 s, less up to a quarter.

    Args:
        error: The error of the last attempt.
        retries: The number of retries so far.
        chance: A random number from 0 to 1.
    """
    if not error.is_transient:
        return None
    if error.retry_after is not None:
        if error.retry_after > _LONGEST_RETRY_AFTER_S:
            return None
        return error.retry_after * (1 + _JITTER * chance)
    wait_s = min(_FIRST_WAIT_S * 2.0 ** min(retries, 10), _LONGEST_WAIT_S)
    return wait_s * (1 - _JITTER * chance)
