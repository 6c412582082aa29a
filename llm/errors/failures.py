"""What went wrong with a model call, and whether asking again can help.

The predicate reads what the providers' errors have in common, their status and the names of their
classes, so that it needs none of the providers' packages.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...errors import Failure
from ..usage import Usage
from .echoes import without_echo
from .error_words import error_body, error_words, shown
from .hidden_errors import hidden_status
from .http_errors import chain, http_status, request_of, retry_after, said_pause
from .network_settings import proxy_told
from .too_long import says_pace, says_too_long
from .unsupported_options import (
    WAYS,
    Part,
    refused_parts,
    says_bad_generation,
    says_denied,
    says_elsewhere,
    says_quota,
)

_HTTP_CLIENT, _HTTP_SERVER = 400, 500
_TOO_MANY = 429
_TIMED_OUT = frozenset({408, 504})
_PASSING = frozenset({409, 425, 498, 499})
"""498 is Groq's for no capacity left and others' for a bad token, 499 a call that was cut off."""
_INVALID_TOKEN = 498
_DENIED = frozenset({401, 402, 403, 407})
_FORBIDDEN = 403
_OF_PROXIES = frozenset({403, 407, 502, 503, 504})
"""What proxies answer about a server that they do not reach, or may not ask."""
_TOO_LARGE = 413
_UNKNOWN_OPTION = 501
_CALLS = b'"tool_calls":'
"""In a request; in a text there, the quotation marks are escaped."""
_FILTERED = re.compile(
    r"content.?(?:filter|policy|moderation)|content.management.policy|safety|refusal"
    r"|data.?inspection|inappropriate.content|content.exists.risk|sensitive.(?:content|word)|new_sensitive"
    r"|\busage polic|敏感|违规",
    re.IGNORECASE,
)
_FLAGGED = re.compile(r"\bmoderation\b|\bflagged\b|content.?(?:filter|policy)", re.IGNORECASE)
_ACCOUNT_FLAGGED = re.compile(r"\b(?:account|organi[sz]ation)\b.{0,40}\bflagged\b", re.IGNORECASE)

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

Never asked again: 400, 401, 402, 403 and other refusals of the request itself, an exhausted quota,
and errors of unknown kind.
"""


ABOUT_THE_PROMPT = frozenset({Failure.REFUSED, Failure.REJECTED})
"""Failures that another prompt may not meet: the model works, but will not answer this one."""

ABOUT_LETTERS = frozenset(
    {
        "",  # an answer without a letter
        Failure.REJECTED,
        Failure.SERVER_ERROR,
        Failure.WRONG_SHAPE,
        Failure.UNKNOWN,
    }
)
"""Failures of a server that gives no log-probabilities, or accepts no limit of one token."""


class ModelFailedError(Exception):
    """A model gave no usable answer.

    Attributes:
        failure: The kind of failure.
        retry_after: Seconds for which the provider asks to be left alone, or `None`.
        asks_for_less: Whether the provider may only dislike how an answer in JSON was asked for.
        refuses: Parts of the request that the provider says it does not take.
        said: The provider's own words, on one short line without secrets; empty if unknown.
        usage: Tokens of an answer that came and cannot be used; `None` if none came.
        maybe_billed: Whether the answer was not waited for: the provider may go on, and bill it.
        final: Whether it must not be asked again, whatever the kind of failure.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        retry_after: float | None = None,
        asks_for_less: bool = False,
        refuses: Collection[Part] = frozenset(),
        said: str = "",
        usage: Usage | None = None,
        maybe_billed: bool = False,
    ) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.retry_after = retry_after
        self.asks_for_less = asks_for_less
        self.refuses = frozenset(refuses)
        self.said = said
        self.usage = usage
        self.maybe_billed = maybe_billed
        self.final = False

    @property
    def no_tools(self) -> bool:
        """Whether the server takes no tools for this model."""
        return Part.TOOLS in self.refuses


def read_failure(error: BaseException, secrets: Sequence[str] = ()) -> ModelFailedError:
    """Tell what a provider's error means.

    Only a short part of its text is kept, since the whole may quote keys and prompts.

    Args:
        error: The error as the model raised it.
        secrets: What no words may hold, such as the key that was sent.
    """
    if isinstance(error, ModelFailedError):
        return error
    body = without_echo(error_body(error))
    status = http_status(error) or _status_in_stream(error)
    parts = (type(error).__name__, without_echo(str(error)), getattr(error, "code", ""), body or "")
    said = " ".join(map(str, parts))
    if _declined(error):  # OpenAI's package raises so over an answer with the status 200
        failure = Failure.REFUSED
    else:
        failure = _without_status(error, said) if status is None else _of_status(status, said)
    refuses = refused_parts(status, said, calls=_may_hold_calls(error))
    if refuses and failure is Failure.DENIED:
        failure = Failure.REJECTED  # the key is good, and the server forbids it an option
    if failure is Failure.TOO_LONG:
        refuses &= {Part.MAX_TOKENS}  # a smaller answer may leave room for the prompt
    failed = ModelFailedError(
        failure,
        retry_after=_pause(error, failure, said),
        asks_for_less=_may_be_the_form(failure, status, refuses, said),
        refuses=refuses,
        said=_words_of(error, failure, status, body, secrets),
        maybe_billed=failure is Failure.TIMEOUT and not _is_unsent(error),
    )
    failed.final = any("Redirected" in name for name in _class_names(error))
    return failed


def _may_hold_calls(error: BaseException) -> bool:
    """Whether the request may have held calls of tools that were made before."""
    sent = request_of(error)
    try:
        return sent is None or _CALLS in sent.content
    except (AttributeError, TypeError, RuntimeError):  # not httpx's, or not read
        return True


def _pause(error: BaseException, failure: Failure, said: str) -> float | None:
    asked = retry_after(error)
    return said_pause(said) if asked is None and failure in RETRYABLE else asked


def _status_in_stream(error: BaseException) -> int | None:
    """Return the status of an error that came as an event of a stream, which has none itself."""
    body = getattr(error, "body", None)
    return hidden_status({"error": body}) if body else None


def _words_of(
    error: BaseException,
    failure: Failure,
    status: int | None,
    body: object,
    secrets: Sequence[str],
) -> str:
    words = error_words(body, secrets)
    if isinstance(error, ValueError) and "JSONDecode" in type(error).__name__:
        words = f"The server's answer is no JSON. {words}".strip()
    elif not words and failure is Failure.CONNECTION:
        # What the operating system said lies at the bottom: "connection refused", "unknown host".
        words = shown(str(chain(error)[-1]) or str(error), secrets)
    elif not words and (status is not None or failure in {Failure.UNKNOWN, Failure.REFUSED}):
        words = shown(without_echo(str(error)), secrets)
    return _with_proxy(words, error, failure, status)


def _with_proxy(words: str, error: BaseException, failure: Failure, status: int | None) -> str:
    """Return words with the proxy that a request did not get through, or that may have refused it.

    Over HTTPS a proxy passes on what the server answers, and so it says nothing itself.
    """
    unsent = failure is Failure.CONNECTION or (failure is Failure.TIMEOUT and _is_unsent(error))
    if not unsent and status not in _OF_PROXIES:
        return words
    url = str(getattr(request_of(error), "url", ""))
    told = proxy_told(error, url) if unsent or url.lower().startswith("http:") else ""
    if not told:
        return words
    return f"{words.rstrip('.')}. {told}" if words else told


def _may_be_the_form(
    failure: Failure, status: int | None, refuses: frozenset[Part], said: str
) -> bool:
    """Whether another way of asking for JSON may do better: servers name no reason, or a wrong one.

    Not so where the error mentions the model's name or the address.
    """
    if failure is Failure.REJECTED:
        return not says_elsewhere(said)
    if failure is Failure.WRONG_SHAPE:
        return says_bad_generation(said)
    return failure is Failure.SERVER_ERROR and (status == _UNKNOWN_OPTION or bool(refuses & WAYS))


def _of_status(status: int, said: str) -> Failure:
    if status == _TOO_MANY:
        failure = _of_too_many(said)
    elif status in _TIMED_OUT:
        failure = Failure.TIMEOUT
    elif status in _DENIED:
        # OpenRouter forbids what a filter has flagged; the key is good.
        flagged = _FLAGGED.search(said) and not _ACCOUNT_FLAGGED.search(said)
        failure = Failure.REFUSED if flagged and status == _FORBIDDEN else Failure.DENIED
    elif status == _TOO_LARGE or (_HTTP_CLIENT <= status <= _HTTP_SERVER and says_too_long(said)):
        failure = Failure.TOO_LONG
    elif status == _INVALID_TOKEN and says_denied(said):
        failure = Failure.DENIED
    elif status >= _HTTP_SERVER or status in _PASSING:
        failure = Failure.SERVER_ERROR
    elif status >= _HTTP_CLIENT:
        failure = _of_bad_request(said)
    else:
        failure = Failure.WRONG_SHAPE  # a success whose body cannot be read
    return failure


def _of_too_many(said: str) -> Failure:
    # Both of these come with the same status and do not pass.
    if says_quota(said):
        return Failure.DENIED
    if "too large" in said or (says_too_long(said) and not says_pace(said)):
        return Failure.TOO_LONG
    return Failure.RATE_LIMITED


def _of_bad_request(said: str) -> Failure:
    if says_quota(said) or says_denied(said):
        return Failure.DENIED
    if says_bad_generation(said):
        return Failure.WRONG_SHAPE
    return Failure.REFUSED if _FILTERED.search(said) else Failure.REJECTED


def _declined(error: BaseException) -> bool:
    return any("ContentFilter" in name or "Refusal" in name for name in _class_names(error))


def _class_names(error: BaseException) -> list[str]:
    return [cls.__name__ for link in chain(error) for cls in type(link).__mro__]


def _without_status(error: BaseException, said: str) -> Failure:
    names = _class_names(error)
    if any("Timeout" in name for name in names):
        return Failure.TIMEOUT
    if any(_is_connection(name) for name in names):
        return Failure.CONNECTION
    if says_too_long(said):  # a model in this process
        return Failure.TOO_LONG
    # What providers' packages raise over a body without choices, message or valid JSON.
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError):
        return Failure.REFUSED if _FILTERED.search(said) else Failure.WRONG_SHAPE
    return Failure.WRONG_SHAPE if "FinishReason" in type(error).__name__ else Failure.UNKNOWN


def _is_unsent(error: BaseException) -> bool:
    """Whether a timeout came before there was a connection to send the request over."""
    return any("ConnectTimeout" in name or "PoolTimeout" in name for name in _class_names(error))


def _is_connection(name: str) -> bool:
    # `ConnectError`, `ReadError`, `RemoteProtocolError`, `ConnectionResetError`, `SSLError` …
    return name in {"OSError", "NetworkError", "ProtocolError", "TransportError"} or (
        "Connect" in name and name.endswith("Error")
    )
