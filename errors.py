"""Errors that a person can act on: each names the field at fault and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Re2llmError(Exception):
    """Anything that goes wrong for a reason that the caller can mend.

    Attributes:
        field: The argument, setting, file or line at fault.
        problem: What is wrong with it.
        remedy: What to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem} {remedy}".strip())
        self.field = field
        self.problem = problem
        self.remedy = remedy

    def as_dict(self) -> dict[str, str]:
        """Return the three parts, for an answer that must not raise."""
        return {"field": self.field, "problem": self.problem, "remedy": self.remedy}


class InputError(Re2llmError):
    """A request, an argument or a file holds something that cannot be used."""


class DatabaseError(Re2llmError):
    """The database cannot be reached, started or migrated."""


class BudgetSpentError(Re2llmError):
    """The calls or tokens that were allowed are used up; what was paid is kept."""


class ModelDownError(Re2llmError):
    """The model gave no answer, so nothing can be said about it or about a hint."""

    FIELD = "model"
    """By which it is known where it comes as a dictionary."""

    def __init__(self, model: str, failure: str = "") -> None:
        """Say what to do about a failure.

        Args:
            model: Its name.
            failure: Of `llm.failures.Failure`, if known.
        """
        problem, remedy = _FAILURES.get(failure, ("gave no answer", "Try again later."))
        super().__init__(self.FIELD, f"{model} {problem}.", remedy)
        self.failure = failure

    @classmethod
    def told(cls, error: Mapping[str, str]) -> ModelDownError:
        """Return the error that a dictionary describes.

        Args:
            error: From `as_dict`.
        """
        said = error["problem"]
        made = cls("", next((kind for kind, (why, _) in _FAILURES.items() if why in said), ""))
        Re2llmError.__init__(made, **error)
        return made


def failure_among(flags: Sequence[str]) -> str:
    """Return which of a request's flags names the kind of failure, or nothing.

    Args:
        flags: Of a request whose model failed.
    """
    return next((flag for flag in flags if flag in _FAILURES), "")


_FAILURES: Mapping[str, tuple[str, str]] = {
    "rate_limited": ("asks for fewer requests", "Set RE2LLM_MODEL_RATE, or try again later."),
    "server_error": ("answers with server errors", "Try again later."),
    "timeout": ("did not answer in time", "Raise RE2LLM_REQUEST_TIMEOUT, or try again later."),
    "connection": ("cannot be reached", "Check RE2LLM_BASE_URL, or try again later."),
    "wrong_shape": ("sends responses without an answer", "Check RE2LLM_BASE_URL."),
    "denied": ("refuses the key, or its quota is used up", "Check RE2LLM_API_KEY and the account."),
    "rejected": ("rejects the request", "Check the name in RE2LLM_MODEL, and RE2LLM_BASE_URL."),
    "refused": ("declined to answer", "Another model may answer."),
    "busy": ("has too many requests waiting", "Raise RE2LLM_MODEL_CONCURRENCY or RE2LLM_DEADLINE."),
    "circuit_open": ("failed too often and is left alone", "Try again later."),
}
"""By the kind of failure, what it says of a model and what to do."""
