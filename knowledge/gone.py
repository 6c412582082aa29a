"""Tells a row whose domain or hint was deleted meanwhile from a bug."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from ..errors import GoneError

_FOREIGN_KEY = "23503"
_SAID = {
    "domain": ("domain", "The domain was deleted meanwhile."),
    "api_key": ("key", "The API key was deleted meanwhile."),
    "hint": ("hint", "A hint was deleted meanwhile."),
    "session": ("sessions", "A training session was deleted meanwhile."),
    "reflection": ("sessions", "A reflection was deleted meanwhile."),
    "recommendation": ("recommendation_id", "The recommendation was deleted meanwhile."),
    "rollout": ("release", "The rollout was deleted meanwhile."),
}
"""By the table that a row refers to, with which the name of its constraint ends: the field, and
what is said of it."""


def gone_meanwhile(error: BaseException) -> GoneError | None:
    """Return what an error says of a new row that refers to nothing, or `None` of any other.

    Deleting what other rows refer to raises the same error, but is a bug.
    """
    if not isinstance(error, IntegrityError):
        return None
    if getattr(error.orig, "sqlstate", None) != _FOREIGN_KEY or _deletes(error.statement):
        return None
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
    for table, (field, problem) in _SAID.items():
        if constraint.endswith(f"_{table}"):
            return GoneError(field, problem, "Ask again without it.")
    return GoneError("re2llm", "What this refers to was deleted meanwhile.", "Ask again.")


def _deletes(statement: str | None) -> bool:
    return (statement or "").lstrip()[:6].upper() == "DELETE"
