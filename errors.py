"""Errors that a person can act on: each names the field at fault and the remedy."""

from __future__ import annotations


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

    def __init__(self, model: str) -> None:
        super().__init__(self.FIELD, f"{model} gave no answer.", "Try again later.")
