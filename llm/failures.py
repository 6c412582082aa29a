"""What went wrong with a model call, and whether asking again can help.

The predicate reads what the providers' errors have in common, their status and the names of their
classes, so that it needs none of the providers' packages.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any, cast

from ..errors import Failure

_HTTP_LEAST, _HTTP_CLIENT, _HTTP_SERVER = 100, 400, 500
_TOO_MANY = 429
_TIMED_OUT = frozenset({408, 504})
_PASSING = frozenset({409, 425})
_DENIED = frozenset({401, 403, 407})
_BAD_REQUEST = 400
_UNKNOWN_OPTION = frozenset({422, 501})
_FILTERED = re.compile(r"content.?filter|content.management.policy|safety|refusal", re.IGNORECASE)
_OPTION = re.compile(
    r"response.?format|json.?(?:schema|object|mode)|structured|schema|tool|function|guided|grammar"
    r"|unsupported|not support|unrecogni[sz]ed|unknown (?:field|param|arg)|extra.(?:inputs|fields)",
    re.IGNORECASE,
)
"""In the text of a 400: it may be the way of asking for JSON that the server does not know."""
_NO_TOOLS = frozenset({_BAD_REQUEST, 404, 422, 501})
_TOOLS = re.compile(r"\btools?\b|\btool.(?:use|choice|call)|\bfunctions?\b", re.IGNORECASE)
_NOT_TAKEN = re.compile(
    r"support|requires|enabled?\b|not (?:permitted|allowed|available|implemented)|unrecogni[sz]ed"
    r"|unknown|unexpected|extra.(?:inputs|fields)",
    re.IGNORECASE,
)
_TEMPERATURE = re.compile(r"\btemperature\b", re.IGNORECASE)
_NO_QUOTA = "insufficient_quota"
_LONGEST_CHAIN = 5


RETRYABLE = frozenset(
    {
        Failure.RATE_LIMITED,
        Failure.SERVER_ERROR,
        Failure.TIMEOUT,
        Failure.CONNECTION,
        Failure.WRONG_SHAPE,
    }
)
"""What may pass: 429, 5xx, timeouts, lost connections, and responses without an answer in them.

Never asked again: 400, 401, 403 and other refusals of the request itself, an exhausted quota, and
errors of unknown kind.
"""


ABOUT_THE_PROMPT = frozenset({Failure.REFUSED, Failure.REJECTED})
"""What another prompt may not meet: the model is there, and will not answer this one."""


class ModelFailedError(Exception):
    """A model gave no usable answer.

    Attributes:
        failure: Of which kind.
        retry_after: Seconds for which the provider asks to be left alone, or `None`.
        asks_for_less: Whether the provider may only dislike how an answer in JSON was asked for.
        final: Whether it must not be asked again, whatever the kind of failure.
        own_temperature: Whether the model takes no temperature but its own.
        no_tools: Whether the server takes no tools for this model.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        retry_after: float | None = None,
        asks_for_less: bool = False,
        own_temperature: bool = False,
        no_tools: bool = False,
    ) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.retry_after = retry_after
        self.asks_for_less = asks_for_less
        self.final = False
        self.own_temperature = own_temperature
        self.no_tools = no_tools


def read_failure(error: BaseException) -> ModelFailedError:
    """Tell what a provider's error means.

    The error's own text is left behind, since it may quote keys and prompts.

    Args:
        error: As the model raised it.
    """
    if isinstance(error, ModelFailedError):
        return error
    status = _status(error)
    parts = (type(error).__name__, error, getattr(error, "code", ""), getattr(error, "body", ""))
    said = " ".join(map(str, parts))
    failure = _without_status(error, said) if status is None else _of_status(status, said)
    option = status in _UNKNOWN_OPTION or (
        failure is Failure.REJECTED and status == _BAD_REQUEST and _OPTION.search(said) is not None
    )
    own = status in {_BAD_REQUEST, *_UNKNOWN_OPTION} and _TEMPERATURE.search(said) is not None
    no_tools = status in _NO_TOOLS and bool(_TOOLS.search(said) and _NOT_TAKEN.search(said))
    return ModelFailedError(
        failure,
        retry_after=_retry_after(error),
        asks_for_less=option,
        own_temperature=own,
        no_tools=no_tools,
    )


def _of_status(status: int, said: str) -> Failure:
    if status == _TOO_MANY:
        # An exhausted quota comes with the same status and does not pass.
        failure = Failure.DENIED if _NO_QUOTA in said else Failure.RATE_LIMITED
    elif status in _TIMED_OUT:
        failure = Failure.TIMEOUT
    elif status >= _HTTP_SERVER or status in _PASSING:
        failure = Failure.SERVER_ERROR
    elif status in _DENIED:
        failure = Failure.DENIED
    elif status >= _HTTP_CLIENT:
        failure = Failure.REFUSED if _FILTERED.search(said) else Failure.REJECTED
    else:
        failure = Failure.WRONG_SHAPE  # a success whose body cannot be read
    return failure


def _without_status(error: BaseException, said: str) -> Failure:
    names = [cls.__name__ for link in _chain(error) for cls in type(link).__mro__]
    if any("Timeout" in name for name in names):
        return Failure.TIMEOUT
    if any(_is_connection(name) for name in names):
        return Failure.CONNECTION
    if any("ContentFilter" in name or "Refusal" in name for name in names):
        return Failure.REFUSED
    # What providers' packages raise over a body without choices, message or valid JSON.
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError):
        return Failure.REFUSED if _FILTERED.search(said) else Failure.WRONG_SHAPE
    return Failure.WRONG_SHAPE if "FinishReason" in type(error).__name__ else Failure.UNKNOWN


def _is_connection(name: str) -> bool:
    # `ConnectError`, `ReadError`, `RemoteProtocolError`, `ConnectionResetError`, `SSLError` …
    return name in {"OSError", "NetworkError", "ProtocolError", "TransportError"} or (
        "Connect" in name and name.endswith("Error")
    )


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what it says it came from: packages wrap those of their HTTP client."""
    links = [error]
    while links[-1].__cause__ is not None and len(links) < _LONGEST_CHAIN:
        links.append(links[-1].__cause__)
    return links


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for holder, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "status"),
        (error, "code"),
        (error, "http_status"),
    ):
        value = getattr(holder, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= _HTTP_LEAST:
            return value
    return None


def _retry_after(error: BaseException) -> float | None:
    """Read `Retry-After` as RFC 9110 has it, in seconds or as a date, or in milliseconds."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = cast("Mapping[str, str]", headers).get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            parsed = email.utils.parsedate_to_datetime(value) if _is_date(value) else None
            if parsed is not None:
                return max(0.0, parsed.timestamp() - time.time())
    return None


def _is_date(value: str) -> bool:
    return email.utils.parsedate_tz(value) is not None
