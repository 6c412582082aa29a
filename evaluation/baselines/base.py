"""What a baseline is: something fitted on training sessions that scores candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ...errors import InputError
from ...records import Session

if TYPE_CHECKING:
    from ..metrics import FloatArray


class Baseline(Protocol):
    """A recommender without an LLM, already fitted on training sessions.

    Sessions to score never pass their target on: `rank_session` takes it away first.
    """

    @property
    def name(self) -> str:
        """The name in the registry and in reports."""
        ...

    def score(self, session: Session) -> FloatArray:
        """Score a session's candidates from its history.

        Args:
            session: A session with candidates.

        Returns:
            Float64 array of shape `(len(session.candidates),)`, higher is better, in the
            candidates' order. Equal scores mean "no preference"; NaN is not allowed.

        Raises:
            InputError: The session has no candidates.
        """
        ...


BaselineFactory: TypeAlias = Callable[[Sequence[Session], int], Baseline]
"""Fits a baseline: training sessions and a seed in, the fitted baseline out."""


def candidates_of(session: Session) -> tuple[str, ...]:
    """Return the session's candidates.

    Raises:
        InputError: There are none.
    """
    if not session.candidates:
        raise InputError(
            "candidates",
            "are missing, so there is nothing to score.",
            "Give every session the items to rank, or sample them first.",
        )
    return session.candidates


def items_of(session: Session) -> tuple[str, ...]:
    """Return everything a *training* session chose, oldest first: history, then target."""
    return session.history if session.target is None else (*session.history, session.target)
