"""When a call is tried again. The rules are those of OpenAI's client, so that nobody has to learn new ones."""

from __future__ import annotations

from .errors import SiglipHdError

#: Tries after the first.
DEFAULT_MAX_RETRIES = 2
#: Of the whole call, in seconds.
DEFAULT_TIMEOUT_S = 600.0

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
#: A service that asks for more than this is not waited for.
_LONGEST_RETRY_AFTER_S = 120.0
#: The part of a wait that is left to chance, so that clients that were refused together do not come back together.
_JITTER = 0.25


def wait_before_retry(error: SiglipHdError, retries: int, chance: float) -> float | None:
    """Seconds to wait before a call that failed is tried again; None where trying again makes no sense.

    What the service asks for is waited for, and up to a quarter more. Otherwise it is half a second, doubled with each
    retry up to 8 s, less up to a quarter.

    Args:
        error: What the last try failed with.
        retries: How often it has been tried again already.
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
