"""Viewers of the sample films whose tastes drift, each on their own and all together.

Each viewer's tastes drift from one session to the next, as `data.sample.simulator` has it. All
together go through *phases*: in each, people are in other moods (for more of a director, say, not
of a genre), so that other hints help. From one phase to the next, more and more sessions are of the
later one.

A request asks about the films that are on tonight: the one that the viewer would pick, and others
at random. It is the same for everything that answers it: who asks, with which history, what they
would pick, and whether they say so are drawn from the request's number alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from re2llm.data.sample import Mood, TasteModel, sample_items, simulate_sessions
from re2llm.records import Session

_ON = 50
"""Films that are on."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which people are in certain moods.

    Attributes:
        until: The part of all requests, from 0 to 1, at which it ends.
        moods: The moods that people may be in.
    """

    until: float
    moods: tuple[Mood, ...]


PHASES = (
    Phase(0.4, (Mood.GENRE, Mood.CROWD)),
    Phase(0.75, (Mood.DIRECTOR, Mood.FRANCHISE)),
    Phase(1.0, (Mood.SWING, Mood.PLACE_AND_TIME)),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, and what comes of it.

    Attributes:
        viewer: Who asks.
        phase: Which phase's moods they are in.
        session: What they watched, what is on, and what they would pick.
        answers: Whether they tell what they picked.
    """

    viewer: int
    phase: int
    session: Session
    answers: bool


class DriftingViewers:
    """All viewers, and the requests that they send.

    Args:
        requests: How many in all.
        viewers: How many people.
        answered: Part of requests with feedback.
        phases: What people go through.
        overlap: The part of all requests over which one phase turns into the next.
        seed: Of everything.
    """

    def __init__(
        self,
        requests: int,
        *,
        viewers: int = 300,
        answered: float = 0.6,
        phases: Sequence[Phase] = PHASES,
        overlap: float = 0.05,
        seed: int = 0,
    ) -> None:
        self.phases = phases
        self._seed = seed
        self._films = [item.id for item in sample_items()]
        rng = np.random.default_rng(seed)
        self._people = rng.integers(0, viewers, requests)
        self._answers = rng.random(requests) < answered
        when = np.arange(requests) / max(requests, 1) + overlap * (rng.random(requests) - 0.5)
        ends = [phase.until for phase in phases[:-1]]
        self._phases = np.searchsorted(ends, when, side="right")
        self._turns = _turns(self._people, self._phases)
        # No viewer has the same session twice: what was learned from one would help with the next.
        self._each = int(self._turns.max(initial=0)) + 1
        self._pools = [
            simulate_sessions(
                viewers,
                seed=seed + 1,
                sessions_per_viewer=self._each,
                model=TasteModel(moods=phase.moods),
            )
            for phase in phases
        ]

    def visit(self, number: int) -> Visit:
        """Return one request.

        Args:
            number: From 0.
        """
        viewer, phase = int(self._people[number]), int(self._phases[number])
        session = self._pools[phase][viewer * self._each + int(self._turns[number])]
        rng = np.random.default_rng([self._seed, number])
        seen = {*session.history, session.target or ""}
        others = [film for film in self._films if film not in seen]
        places: list[int] = rng.permutation(len(others))[: _ON - 1].tolist()
        drawn = [others[place] for place in places]
        drawn.insert(int(rng.integers(_ON)), str(session.target))
        shown = replace(session, candidates=tuple(drawn))
        return Visit(viewer, phase, shown, bool(self._answers[number]))


def _turns(people: NDArray[np.int64], phases: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return how often each request's viewer came before in the same phase."""
    before: Counter[tuple[int, int]] = Counter()
    turns = np.zeros(len(people), dtype=np.int64)
    for number, where in enumerate(zip(people.tolist(), phases.tolist(), strict=True)):
        turns[number] = before[where]
        before[where] += 1
    return turns
