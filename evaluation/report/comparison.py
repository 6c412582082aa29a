"""What a policy's hints did, session by session: how often each was chosen, and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Floats, Ints
from ...records import Session
from ..bootstrap import Bootstrap, are_one
from ..experiment import Row
from ..metrics import score_ranks

_METRIC = "ndcg@10"
_SHOWN = 5
_OF_HISTORY = 6


@dataclass(frozen=True, slots=True)
class HintUse:
    """How a policy used one hint, or several together.

    Attributes:
        name: The hint's number, several numbers, or "no hint".
        text: The text of the hint; empty for none.
        share: The share of the sessions in which it, or these several, were chosen.
        sessions: How many those are.
        gain: Mean gain in NDCG@10 over no hint in those sessions.
        low: Lower end of its 95 % interval.
        high: Upper end.
        known: Whether they are ends of an interval: of one session there is none.
    """

    name: str
    text: str
    share: float
    sessions: int
    gain: float
    low: float
    high: float
    known: bool = True

    @property
    def interval(self) -> str:
        """The interval in words."""
        return f"{self.low:+.3f} to {self.high:+.3f}" if self.known else "unknown"


@dataclass(frozen=True, slots=True)
class Example:
    """One session, ranked with its hint and without.

    Attributes:
        kind: Why it is shown.
        history: Titles of the last few items, oldest first.
        earlier: How many items came before those.
        target: Title of what came next.
        hint: Its text; of several, all.
        without: Titles of the first places without the hint.
        given: Titles of the first places with it.
        rank_without: The target's rank without it; 0 if it was not ranked.
        rank_given: Likewise.
        gain: In NDCG@10.
    """

    kind: str
    history: Sequence[str]
    earlier: int
    target: str
    hint: str
    without: Sequence[str]
    given: Sequence[str]
    rank_without: int
    rank_given: int
    gain: float


def gains_over(row: Row, without: Row) -> Floats:
    """Return what each session gained in NDCG@10 by a policy, over no hint, `[S]`."""
    return (
        score_ranks(row.ranks, [_METRIC])[_METRIC] - score_ranks(without.ranks, [_METRIC])[_METRIC]
    )


def hint_uses(
    row: Row,
    without: Row,
    texts: Mapping[int, str],
    *,
    groups: Ints | None = None,
    seed: int,
) -> list[HintUse]:
    """Return how often a policy chose each hint, and what it gained there; most chosen first.

    Of several hints together, each set counts as one.

    Args:
        groups: Which sessions belong together, from `session_groups`.
    """
    gains = gains_over(row, without)
    places: dict[tuple[int, ...], list[int]] = {}
    for place, hints in enumerate(_given(row)):
        places.setdefault(tuple(sorted(hints)), []).append(place)
    uses: list[HintUse] = []
    for hints, there in sorted(places.items()):
        own = None if groups is None else groups[there]
        interval = Bootstrap(seed=seed, groups=own).mean(gains[there])
        name = " + ".join(f"hint {hint}" for hint in hints) or "no hint"
        share = len(there) / len(gains)
        gain = (interval.mean, interval.low, interval.high)
        known = not are_one(there, own)
        uses.append(HintUse(name, _words(hints, texts), share, len(there), *gain, known))
    return sorted(uses, key=lambda use: (-use.sessions, use.name))


def _given(row: Row) -> Sequence[Sequence[int]]:
    """Return the hints that each session was given."""
    return row.sets or [[] if hint is None else [hint] for hint in row.hints]


def _words(hints: Sequence[int], texts: Mapping[int, str]) -> str:
    return " + ".join(texts.get(hint, "") for hint in hints)


def examples(
    row: Row,
    without: Row,
    sessions: Sequence[Session],
    texts: Mapping[int, str],
    titles: Mapping[str, str],
) -> list[Example]:
    """Choose sessions to show: where a hint helped most, where it harmed most, and a typical one.

    Args:
        row: A policy's row.
        without: The row of the same sessions without a hint.
        sessions: In the rows' order.
        texts: The texts of the hints, by number.
        titles: The titles of the items, by id.
    """
    gains = gains_over(row, without)
    hinted = [place for place, hint in enumerate(row.hints) if hint is not None]
    if not hinted:
        return []
    ordered = sorted(hinted, key=lambda place: (-gains[place], place))
    mean = float(np.mean([gains[place] for place in hinted]))
    typical = min(hinted, key=lambda place: (abs(gains[place] - mean), place))
    wanted = [
        *(("helped most", place) for place in ordered[:2] if gains[place] > 0),
        ("typical: nearest to the mean gain", typical),
        *(("harmed most", place) for place in ordered[:-3:-1] if gains[place] < 0),
    ]

    def named(ids: Sequence[str]) -> list[str]:
        return [titles.get(item, item) for item in ids]

    def example(kind: str, place: int) -> Example:
        session = sessions[place]
        return Example(
            kind=kind,
            history=named(session.history[-_OF_HISTORY:]),
            earlier=max(0, len(session.history) - _OF_HISTORY),
            target=titles.get(session.target or "", session.target or ""),
            hint=_words(_given(row)[place], texts),
            without=named(without.rankings[place][:_SHOWN]),
            given=named(row.rankings[place][:_SHOWN]),
            rank_without=int(without.ranks[place]),
            rank_given=int(row.ranks[place]),
            gain=float(gains[place]),
        )

    return [example(kind, place) for kind, place in wanted]
