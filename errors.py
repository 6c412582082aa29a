"""Errors that a person can act on: each names the field at fault and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar


class Failure(StrEnum):
    """Why a model gave no usable answer. The value is also a flag of the request."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    WRONG_SHAPE = "wrong_shape"
    DENIED = "denied"
    REJECTED = "rejected"
    REFUSED = "refused"
    TOO_LONG = "too_long"
    BUSY = "busy"
    CIRCUIT_OPEN = "circuit_open"
    UNKNOWN = "unknown"


class Re2llmError(Exception):
    """Anything that goes wrong for a reason that the caller can fix.

    Attributes:
        kind: The class of the error, in `as_dict`.
        field: The argument, setting, file or line at fault. An argument is called as in Python.
        problem: What is wrong with it.
        remedy: What to do about it. Both texts name other arguments in backticks, as `max_cost`.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem} {remedy}".strip())
        self.field = field
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Let it pass from one process to another."""
        return error_from, (self.as_dict(),)

    def as_dict(self) -> dict[str, str]:
        """Return the error as JSON primitives, for an answer that must not raise."""
        return {
            "kind": self.kind,
            "field": self.field,
            "problem": self.problem,
            "remedy": self.remedy,
        }

    def adding(self, remark: str) -> Re2llmError:
        """Return the same error with a remark after the problem."""
        return error_from({**self.as_dict(), "problem": f"{self.problem} {remark}"})


class InputError(Re2llmError):
    """A request, an argument or a file holds something that cannot be used."""

    kind = "input"


class NotThereError(InputError):
    """What a request names does not exist, or not for who asks."""


class ReleaseMisfitError(InputError):
    """A release was trained for another model, prompt or encoder.

    Args:
        other_mode: Whether it fits all but what decides the order (the setting `fuse`).
    """

    def __init__(self, field: str, problem: str, remedy: str, *, other_mode: bool = False) -> None:
        super().__init__(field, problem, remedy)
        self.other_mode = other_mode


class DatabaseError(Re2llmError):
    """The database cannot be reached, started or migrated."""

    kind = "database"


class PoolerError(DatabaseError):
    """A pooler cannot give what is needed. That does not pass, so nothing is tried again."""


class StatementError(DatabaseError):
    """A bug in re2llm: the database takes no such statement. The log has the traceback."""

    kind = "internal"


class BudgetSpentError(Re2llmError):
    """The allowed calls, tokens or money are used up. What was paid for is kept."""

    kind = "budget"


class LimitReachedError(BudgetSpentError):
    """An API key has used what it was given."""

    kind = "limit"


class NotGrantedError(Re2llmError):
    """An API key may not do this."""

    kind = "not_granted"


class HintsFullError(BudgetSpentError):
    """The domain has as many hints as it may have."""

    kind = "hints_full"


IN_THE_LOG = "Please report it, with what the log or the terminal says of it."
"""What to do about a bug: a server's log has the trace, a command prints its last line."""


class InternalError(Re2llmError):
    """A bug in re2llm. The log has the traceback."""

    kind = "internal"


class ModelDownError(Re2llmError):
    """The model gave no answer, so nothing can be said about it or about a hint.

    Attributes:
        failure: Why, as far as it is known.
        model: Its name.
    """

    kind = "model"

    def __init__(
        self, model: str, failure: str = "", said: str = "", *, rates: bool = False
    ) -> None:
        """Say what to do about a failure.

        Args:
            failure: A value of `Failure`; empty if unknown.
            said: The provider's own words, if known.
            rates: Whether it was asked for a rating, whose prompt has settings of its own.
        """
        problem, remedy = _FAILURES.get(failure, ("gave no answer", "Try again later."))
        if rates and failure == Failure.TOO_LONG:
            remedy = _SHORTER_REVIEWS
        words = f" It said: {said.rstrip('.')}." if said else ""
        super().__init__("model", f"{model} {problem}.{words}", remedy)
        self.failure = failure
        self.model = model

    def unquoted(self) -> ModelDownError:
        """Return the error without the provider's own words, which may name accounts and hosts."""
        return ModelDownError(self.model, self.failure)

    def as_dict(self) -> dict[str, str]:
        """Return the error as JSON primitives, with the kind of failure."""
        return {**super().as_dict(), "failure": self.failure}


def is_retried(error: Re2llmError) -> bool:
    """Return whether a job's step or a schedule's tick is tried again after an error.

    It is after any error of the database, but for what a pooler cannot give: that does not pass.
    """
    return isinstance(error, DatabaseError) and not isinstance(error, PoolerError)


def error_from(document: Mapping[str, str]) -> Re2llmError:
    """Return the error that a graph's answer carries.

    Args:
        document: From `Re2llmError.as_dict`.
    """
    kind = _KINDS.get(document.get("kind", ""), Re2llmError)
    error = kind.__new__(kind)
    Re2llmError.__init__(error, document["field"], document["problem"], document["remedy"])
    if isinstance(error, ModelDownError):
        error.failure = document.get("failure", "")
        error.model = document["problem"].partition(" ")[0]
    return error


_KINDS: Mapping[str, type[Re2llmError]] = {
    error.kind: error
    for error in (
        InputError,
        DatabaseError,
        BudgetSpentError,
        LimitReachedError,
        NotGrantedError,
        HintsFullError,
        InternalError,
        ModelDownError,
    )
}


def failure_among(flags: Sequence[str]) -> str:
    """Return which of a request's flags names the kind of failure, or an empty text."""
    return next((flag for flag in flags if flag in _FAILURES), "")


_FAILURES: Mapping[str, tuple[str, str]] = {
    Failure.RATE_LIMITED: (
        "asks for fewer requests",
        "Set RE2LLM_MODEL_RATE, or try again later.",
    ),
    Failure.SERVER_ERROR: ("answers with server errors", "Try again later."),
    Failure.TIMEOUT: (
        "did not answer in time",
        "Raise RE2LLM_REQUEST_TIMEOUT, or try again later.",
    ),
    Failure.CONNECTION: ("cannot be reached", "Check RE2LLM_BASE_URL, or try again later."),
    Failure.WRONG_SHAPE: ("sends responses without an answer", "Check RE2LLM_BASE_URL."),
    Failure.DENIED: (
        "refuses the key, or its quota is used up",
        "Check RE2LLM_API_KEY and the account.",
    ),
    Failure.REJECTED: (
        "rejects the request",
        "Check the model's name (`--model` or RE2LLM_MODEL), and RE2LLM_BASE_URL.",
    ),
    Failure.REFUSED: ("declined to answer", "Try another model."),
    Failure.TOO_LONG: (
        "says that the prompt is too long",
        "Lower RE2LLM_PROMPT_HISTORY and RE2LLM_CANDIDATES, or send fewer candidates.",
    ),
    Failure.BUSY: (
        "has too many requests waiting",
        "Raise RE2LLM_MODEL_CONCURRENCY or RE2LLM_DEADLINE.",
    ),
    Failure.CIRCUIT_OPEN: ("failed too often and is not called for now", "Try again later."),
    Failure.UNKNOWN: ("gave no answer", "Try again later."),
}
"""By the kind of failure, what it says of a model and what to do."""
_SHORTER_REVIEWS = (
    "Lower RE2LLM_RATING_REVIEW_CHARACTERS and RE2LLM_RATING_TITLE_CHARACTERS, or use a model "
    "that reads more."
)


def reason_of(error: Exception) -> str:
    """Return why a file cannot be read or written, without the numbers of the system."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
