"""What is known of a domain's hints when it is decided which to keep, and the possible verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...knowledge.hint_store.decisions import KeptHint

Verdict = Literal[
    "helps",
    "undecided",
    "same",
    "harms",
    "harms_lately",
    "no_effect",
    "no_gain",
    "dominated",
    "unused",
    "surplus",
]
"""What a hint turned out to be: `same` says what another one says, `surplus` found no room."""
Standing = Literal["helps", "undecided"]


@dataclass(frozen=True, slots=True)
class Store:
    """A domain's active and pending hints, with all that is known of them.

    Attributes:
        hints: The hints.
        gains: By hint and session, NaN where it was not tried, or was proposed on the session;
            shape `[hints, sessions]`.
        planned: By hint, the sessions that it may be tried on; shape `[hints]`.
        newest: How many of the sessions, from the first, are the newest ones.
        tested: How many hints were ever up for proof.
        most: How many hints the domain may keep.
        answers: Answers with a hint of the learned policy, in the time that `unused` is about.
        unused: Hints that it could have chosen all that time, and has not.
        waits: Whether a hint that helps still waits for a person.
        gives_up: Whether a hint goes whose gain more trials can hardly prove.
    """

    hints: Sequence[KeptHint]
    gains: NDArray[np.float64]
    planned: Sequence[int]
    newest: int
    tested: int
    most: int
    answers: int = 0
    unused: frozenset[int] = frozenset()
    waits: bool = False
    gives_up: bool = True
