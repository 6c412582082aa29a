"""How often and after which pauses a model is asked again."""

from __future__ import annotations

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_before_delay
from tenacity.wait import wait_random_exponential

from ..errors.failures import RETRYABLE, ModelFailedError

_LONGEST_PAUSE = 20.0


def retrying(retries: int, first_pause: float, within: float) -> AsyncRetrying:
    """Return the attempts at one question.

    Args:
        retries: After the first attempt, at most.
        first_pause: Seconds; later pauses double, and all are jittered.
        within: Seconds after which no attempt starts any more.
    """
    return AsyncRetrying(
        retry=retry_if_exception(may_pass),
        wait=_Pauses(first_pause),
        stop=stop_after_attempt(1 + retries) | stop_before_delay(within),
        reraise=True,
    )


def may_pass(error: BaseException) -> bool:
    """Whether asking again may help."""
    return isinstance(error, ModelFailedError) and error.failure in RETRYABLE and not error.final


class _Pauses(wait_random_exponential):
    """Full jitter over a window that doubles, behind a provider's own `Retry-After`.

    Some providers ask for a pause of nothing, or until a time that has passed.
    """

    def __init__(self, first: float) -> None:
        super().__init__(multiplier=first, max=_LONGEST_PAUSE)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, ModelFailedError) else None
        return (asked or 0.0) + super().__call__(retry_state)
