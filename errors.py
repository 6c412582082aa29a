"""Errors that a person can act on: each names the field at fault and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from enum import StrEnum
from typing import Any, ClassVar, Self


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
        kind: What sort of error it is, for readers of `as_dict`. Several classes may share one.
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

    def __init_subclass__(cls) -> None:
        """Let `error_from` find every class by its name, and the first of a kind by the kind."""
        super().__init_subclass__()
        _CLASSES[cls.__name__] = cls
        _CLASSES.setdefault(cls.kind, cls)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass from one process to another as what it is, and let it be copied."""
        return _blank, (type(self), *self.args), vars(self)

    def as_dict(self) -> dict[str, str]:
        """Return the error as JSON primitives, for an answer that must not raise.

        Beside the texts and the kind there is `class`, where the kind does not tell the class.
        """
        document = {
            "kind": self.kind,
            "field": self.field,
            "problem": self.problem,
            "remedy": self.remedy,
        }
        told = _CLASSES.get(self.kind) is type(self)
        return document if told else {**document, "class": type(self).__name__}

    def take(self, document: Mapping[str, str]) -> None:
        """Take from a document of `as_dict` what only this class has."""

    def adding(self, remark: str) -> Self:
        """Return the same error with a remark after the problem."""
        return self._saying(f"{self.problem} {remark}")

    def advising(self, remedy: str) -> Self:
        """Return the same error with another remedy."""
        return self._saying(self.problem, remedy)

    def _saying(self, problem: str, remedy: str | None = None) -> Self:
        other = copy(self)
        Re2llmError.__init__(other, self.field, problem, self.remedy if remedy is None else remedy)
        return other


_CLASSES: dict[str, type[Re2llmError]] = {Re2llmError.kind: Re2llmError}


def _blank(kind: type[Re2llmError], *args: object) -> Re2llmError:
    """Return an error of a class without what its constructor does."""
    return kind.__new__(kind, *args)


def error_from(document: Mapping[str, str]) -> Re2llmError:
    """Return the error that a graph's answer carries.

    Args:
        document: From `Re2llmError.as_dict`.
    """
    by_kind = _CLASSES.get(document.get("kind", ""), Re2llmError)
    error = _blank(_CLASSES.get(document.get("class", ""), by_kind))
    Re2llmError.__init__(error, document["field"], document["problem"], document["remedy"])
    error.take(document)
    return error


class InputError(Re2llmError):
    """A request, an argument or a file holds something that cannot be used."""

    kind = "input"


class NotThereError(InputError):
    """What a request names does not exist, or the caller may not know of it."""


class GoneError(NotThereError):
    """What a request is about was deleted while it was answered. Asked again, it is not there."""


class ReleaseMisfitError(InputError):
    """A release was trained for another model, prompt or encoder.

    Attributes:
        other_mode: Whether it fits all but what decides the order (the setting `fuse`).
    """

    other_mode: ClassVar[bool] = False


class ReleaseModeMisfitError(ReleaseMisfitError):
    """A release fits all but what decides the order (the setting `fuse`)."""

    other_mode: ClassVar[bool] = True


IN_THE_LOG = "Please report it, with what the log or the terminal says of it."
"""What to do about a bug: a server's log has the trace, a command prints its last line."""


class InternalError(Re2llmError):
    """A bug in re2llm. The log has the traceback."""

    kind = "internal"


class DatabaseError(Re2llmError):
    """The database cannot be reached, started or migrated."""

    kind = "database"


class PoolerError(DatabaseError):
    """A pooler cannot give what is needed. That does not pass, so nothing is tried again."""


class StatementError(DatabaseError):
    """A bug in re2llm: the database takes no such statement. The log has the traceback."""

    kind = InternalError.kind


class BusyError(Re2llmError):
    """Something else holds what is needed, for a while. Nothing was changed."""

    kind = "busy"


class BudgetSpentError(Re2llmError):
    """The allowed calls, tokens or money are used up. What was paid for is kept."""

    kind = "budget"

    @property
    def by_a_person(self) -> bool:
        """Whether somebody stopped the work, as by pausing its job, before a limit was reached."""
        return self.field in {"job", "autopilot", "key"}


class LimitReachedError(BudgetSpentError):
    """An API key has used what it was given.

    Attributes:
        seconds: After how many it can go on, where it is known.
    """

    kind = "limit"

    def __init__(
        self, field: str, problem: str, remedy: str, *, seconds: int | None = None
    ) -> None:
        super().__init__(field, problem, remedy)
        self.seconds = seconds

    def as_dict(self) -> dict[str, str]:
        """Return the error as JSON primitives, with the seconds to wait if they are known."""
        more = {} if self.seconds is None else {"seconds": str(self.seconds)}
        return {**super().as_dict(), **more}

    def take(self, document: Mapping[str, str]) -> None:
        """Take the seconds to wait from a document."""
        told = document.get("seconds", "")
        self.seconds = int(told) if told.isdecimal() else None


class NotGrantedError(Re2llmError):
    """An API key may not do this."""

    kind = "not_granted"


class HintsFullError(BudgetSpentError):
    """The domain has as many hints as it may have."""

    kind = "hints_full"


class ModelDownError(Re2llmError):
    """The model gave no answer, so nothing can be said about it or about a hint.

    Attributes:
        failure: Why, as far as it is known.
        model: Its name.
        said: The provider's own words, which the problem quotes; empty if unknown.
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
        super().__init__("model", f"{model} {problem}.{_quotation(said)}", remedy)
        self.failure = failure
        self.model = model
        self.said = said

    def unquoted(self) -> Self:
        """Return the error without the provider's own words, which may name accounts and hosts."""
        quotation = _quotation(self.said)
        # A document of an older version holds the words in the problem alone.
        bare = (
            self.problem.replace(quotation, "") if quotation else self.problem.partition(_SAID)[0]
        )
        other = self._saying(bare)
        other.said = ""
        return other

    def as_dict(self) -> dict[str, str]:
        """Return the error as JSON primitives, with the kind of failure and who said what."""
        more = {"failure": self.failure, "model": self.model, "said": self.said}
        return {**super().as_dict(), **more}

    def take(self, document: Mapping[str, str]) -> None:
        """Take the kind of failure from a document, and who said what."""
        self.failure = document.get("failure", "")
        self.model = document.get("model", "")
        self.said = document.get("said", "")


_SAID = " It said: "


def _quotation(said: str) -> str:
    return f"{_SAID}{said.rstrip('.')}." if said else ""


def is_retried(error: Re2llmError) -> bool:
    """Return whether a job's step or a schedule's tick is tried again after an error.

    It is after any error of the database, except for what a pooler cannot give: that does not pass.
    So is one whose session or hint was deleted meanwhile: the next try does without it.
    """
    return isinstance(error, DatabaseError | GoneError) and not isinstance(error, PoolerError)


def failure_among(flags: Sequence[str]) -> str:
    """Return which of a request's flags names the kind of failure, or an empty text."""
    return next((flag for flag in flags if flag in _FAILURES), "")


_SERVER = "RE2LLM_BASE_URL: it mostly ends in /v1."
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
    Failure.WRONG_SHAPE: ("sends responses without an answer", f"Check {_SERVER}"),
    Failure.DENIED: (
        "refuses the key, or its quota is used up",
        "Check RE2LLM_API_KEY and the account.",
    ),
    Failure.REJECTED: (
        "rejects the request",
        f"Check the model's name (`--model` or RE2LLM_MODEL), and {_SERVER}",
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
