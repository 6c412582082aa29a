"""What is known of a domain's hints when it is decided which to keep, and the possible verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        planned: The number of sessions that each hint may be tried on; shape `[hints]`.
        newest: How many of the sessions, from the first, are the newest ones.
        tested: How many hints were ever up for proof.
        most: How many hints the domain may keep.
        unused: Hints that the learned policy has not chosen for long, and how many answers with
            another hint could have had them.
        approved: Hints that somebody approved against the trials that are known: they stay.
        loss: How large losses are, from `typical_loss`; `None` takes it from `gains`.
        waits: Whether a hint that helps still waits for a person.
        gives_up: Whether a hint goes whose gain more trials can hardly prove.
    """

    hints: Sequence[KeptHint]
    gains: NDArray[np.float64]
    planned: Sequence[int]
    newest: int
    tested: int
    most: int
    unused: Mapping[int, int] = field(default_factory=dict[int, int])
    approved: frozenset[int] = frozenset()
    loss: float | None = None
    waits: bool = False
    gives_up: bool = True
