"""What past sessions and the catalogue's order say about a candidate.

Sessions are training sessions alone. For a *training* session its own choices, and those of its
copies and continuations, are left out of every figure: otherwise the evidence would contain the
answer, and a hint to trust it would look perfect in training and nowhere else. Where the sessions'
order tells time (`time_order`), a recent session is shown what the earlier ones say, copies
included, and nothing later.
"""

# scipy.sparse has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from ...records import Session
from ..catalogue_places import listed_near
from ..rounding import rounded
from .continuations import Continuations, Rows
from .repeats import repeated
from .session_counts import Counts, SessionCounts, incidence, near_items, summed
from .sources import beyond_share

EVIDENCE: Mapping[str, str] = {
    "chosen_by": "how many past sessions chose it; popular, widely known, mainstream; "
    "many people know it",
    "similar_sessions": "the share of the most similar past sessions that chose it; "
    "what people with a similar session chose",
    "with_recent": "how much more often than by chance it is chosen together with the most recent "
    "items; items that go together",
    "near_recent": "how often it was chosen right before or after the most recent items; "
    "what usually follows next",
    "listed_near": "how close it stands in the catalogue to the most recent items; "
    "listed or added at about the same time",
}
"""The kinds of evidence beside a candidate, and what each means."""

_NEIGHBOURS = 100
"""Sessions that count as the most similar ones (`similar_sessions`)."""
_HISTORY_FOR_NEIGHBOURS = 20
"""Last items of a history that are compared with other sessions."""
_RECENT = 3
"""Last items of a history that others are chosen together with (`with_recent`)."""
_RECENT_FOR_STEPS = 5
"""Last items of a history that others are chosen right before or after (`near_recent`)."""
_ROUNDS = 4
"""Rounds in which the numbers of keys are cut to their share; more would change little."""

_NONE_KEYED: Mapping[int, str] = {}


class EvidenceIndex:
    """Co-occurrence counts of a domain's training sessions, in memory.

    Args:
        sessions: Key and session of each, as `training_sessions` returns them.
        catalogue: All item ids in the order in which the catalogue lists them.
        recent_from: Key of the first recent session, where their order tells time.
        keyed: The API key's id of each session that came with one, by the session's key.
        share: The largest part of the counted sessions, and of each number, that may come with
            one key.

    Attributes:
        repeats: The part of the counted sessions that chose an item of their own history.
    """

    def __init__(
        self,
        sessions: Sequence[tuple[int, Session]],
        catalogue: Sequence[str] = (),
        recent_from: int | None = None,
        *,
        keyed: Mapping[int, str] = _NONE_KEYED,
        share: float = 1.0,
    ) -> None:
        self._places = {item: place for place, item in enumerate(catalogue)}
        sequences = [[*session.history, session.target or ""] for _, session in sessions]
        self._codes = {
            item: code for code, item in enumerate(sorted({i for s in sequences for i in s}))
        }
        self._keys = [key for key, _ in sessions]
        self._first = 0 if recent_from is None else bisect_left(self._keys, recent_from)
        self._earlier = None
        if self._first:
            self._earlier = EvidenceIndex(
                sessions[: self._first], catalogue, keyed=keyed, share=share
            )
        self._rows = {key: row for row, (key, _) in enumerate(sessions)}
        self._sequences = [np.array([self._codes[i] for i in s], dtype=np.int64) for s in sequences]
        there = {key: keyed[key] for key in self._keys if key in keyed}
        self._beyond = beyond_share(there, len(sessions), share)
        ignored = {self._rows[key] for key in self._beyond}
        self._counted = len(sequences) - len(ignored)
        self.repeats = repeated(s for key, s in sessions if key not in self._beyond)
        self._share = share
        self._ignored = np.array(sorted(ignored), dtype=np.int64)
        counted = [s[:0] if row in ignored else s for row, s in enumerate(self._sequences)]
        size = (len(sequences), len(self._codes) + 1)  # the last column stands for unknown items
        self._columns = size[1]
        self._all = SessionCounts(
            incidence(counted, size), counted, range(len(sequences)), self._columns
        )
        self._chosen = self._all.chosen
        by_source: dict[str, list[int]] = {}
        for key, source in there.items() if share < 1 else ():
            if self._rows[key] not in ignored:
                by_source.setdefault(source, []).append(self._rows[key])
        self._keyed = [
            SessionCounts(self._chosen, counted, by_source[source], self._columns)
            for source in sorted(by_source)
        ]
        lengths = np.asarray(self._chosen.sum(axis=1)).ravel()
        self._norms = np.sqrt(np.maximum(lengths, 1))

    @property
    def keys(self) -> Sequence[int]:
        """Keys of the sessions to learn from, in the order they were given."""
        return self._keys[self._first :]

    @property
    def beyond(self) -> frozenset[int]:
        """Keys of the sessions that are the surplus of an API key, and do not count."""
        return self._beyond

    @property
    def trusted_keys(self) -> Sequence[int]:
        """Keys of the sessions to learn from, without the surplus of any one API key.

        All of them, if they came with one.
        """
        return [key for key in self.keys if key not in self._beyond] or self.keys

    def of(
        self, history: Sequence[str], candidates: Sequence[str], *, leave_out: int | None = None
    ) -> list[dict[str, float]]:
        """Return the evidence beside each candidate: `table`, with a number under each name."""
        return named(self.table(history, candidates, leave_out=leave_out))

    def table(
        self, history: Sequence[str], candidates: Sequence[str], *, leave_out: int | None = None
    ) -> Counts:
        """Return the evidence beside each candidate.

        Args:
            history: Item ids, oldest first.
            leave_out: Key of the training session that is being ranked, if it is one.

        Returns:
            Shape `[candidates, kinds]`, the kinds as in `EVIDENCE`.

        Raises:
            KeyError: `leave_out` is no training session of this index.
        """
        if self._earlier and leave_out is not None and self._rows[leave_out] >= self._first:
            return self._earlier.table(history, candidates)
        past, codes = self._coded(history), self._coded(candidates)
        own = self._own(leave_out)
        popularity = self._chosen_by(codes, own)
        columns = [
            popularity,
            self._similar_sessions(past, codes, own),
            self._with_recent(past, codes, own),
            self._near_recent(past, codes, own) / np.sqrt(popularity + 1),
            listed_near(self._places, history, candidates),
        ]
        return rounded(np.stack(columns, axis=1, dtype=np.float64))

    def most_chosen(self, count: int) -> list[str]:
        """Return the items of the catalogue that most sessions hold, most chosen first.

        Args:
            count: The highest number to return; items that no session holds are left out.
        """
        items = list(self._codes)
        sessions = self._chosen_by(np.arange(len(items)), self._own(None))
        order = np.argsort(-sessions, kind="stable")
        found = (items[code] for code in order[: np.count_nonzero(sessions > 0)])
        return list(islice((item for item in found if item in self._places), count))

    def neighbours(self, history: Sequence[str], *, leave_out: int, count: int) -> list[int]:
        """Return the keys of the sessions to learn from that are most similar to one.

        Args:
            history: Item ids of the session, oldest first.
            count: The highest number to return.

        Returns:
            The most similar first.
        """
        likeness = self._likeness(self._coded(history), self._own(leave_out))
        likeness[: self._first] = 0.0
        nearest = np.argsort(-likeness, kind="stable")[:count]
        return [self._keys[row] for row in nearest if likeness[row] > 0]

    def _coded(self, items: Sequence[str]) -> Rows:
        unknown = len(self._codes)
        return np.array([self._codes.get(item, unknown) for item in items], dtype=np.int64)

    def left_out(self, key: int) -> list[int]:
        """Return the keys of all sessions that do not count where a training session is ranked.

        They are itself, its copies, and those that continue it; see `Continuations.of`.

        Raises:
            KeyError: It is no training session of this index.
        """
        return [self._keys[row] for row in self._own(key)]

    @cached_property
    def _continuations(self) -> Continuations:
        return Continuations(self._sequences)  # only learning needs it

    def _own(self, key: int | None) -> Rows:
        """Return the rows to leave out, in ascending order: those of them that count."""
        if key is None:
            return np.zeros(0, dtype=np.int64)
        return np.setdiff1d(np.concatenate(self._continuations.of(self._rows[key])), self._ignored)

    def _capped(self, number: Callable[[SessionCounts, Rows], Counts], own: Rows) -> Counts:
        """Return sums over all sessions, in which no key has more than its share."""
        value = number(self._all, own)
        if not self._keyed:
            return value
        keyed = [number(p, own[np.isin(own, p.listed)]) for p in self._keyed]
        value = trusted = np.maximum(value - sum(keyed), 0.0)
        for _ in range(_ROUNDS):  # what a key may add grows with what the others may add
            value = trusted + sum(np.minimum(its, self._share * value) for its in keyed)
        return value

    def _chosen_by(self, codes: Rows, own: Rows) -> Counts:
        return self._capped(
            lambda part, own: part.popularity[codes] - self._own_choices(own, codes), own
        )

    def _own_choices(self, own: Rows, codes: Rows) -> Counts:
        if not len(own):
            return np.zeros(len(codes))
        return summed(self._chosen, own, np.ones(len(own)))[codes]

    def _similar_sessions(self, past: Rows, codes: Rows, own: Rows) -> Counts:
        likeness = self._likeness(past, own)
        nearest = np.argsort(-likeness, kind="stable")[:_NEIGHBOURS]
        nearest = nearest[likeness[nearest] > 0]
        if not len(nearest):
            return np.zeros(len(codes))
        weights = likeness[nearest]

        def share(part: SessionCounts, _: Rows) -> Counts:
            mine = weights if part is self._all else weights * np.isin(nearest, part.listed)
            return summed(self._chosen, nearest, mine)[codes] / weights.sum()

        return 100 * self._capped(share, own)

    def _likeness(self, past: Rows, own: Rows) -> Counts:
        """Compare with every session as V-SKNN does: recent and rare items count more."""
        recent = past[-_HISTORY_FOR_NEIGHBOURS:]
        recency = np.arange(1, len(recent) + 1) / len(recent)
        others = self._counted - len(own)
        popularity = self._chosen_by(recent, own)
        rarity = np.log((others + 1) / (popularity + 1))
        query = np.zeros(self._columns)
        query[recent] = recency * rarity
        query[-1] = 0.0
        likeness = self._chosen @ query / self._norms
        likeness[own] = 0.0
        return likeness

    def _with_recent(self, past: Rows, codes: Rows, own: Rows) -> Counts:
        recent = past[-_RECENT:]

        def count(part: SessionCounts, own: Rows) -> Counts:
            together = np.array([part.with_item(item, own)[codes] for item in recent])
            # An item is not chosen together with itself.
            return together.reshape(len(recent), len(codes)) * (recent[:, None] != codes)

        together = self._capped(count, own)
        sizes = np.outer(self._chosen_by(recent, own) + 1, self._chosen_by(codes, own) + 1)
        return 100 * (together / np.sqrt(sizes)).mean(axis=0)

    def _near_recent(self, past: Rows, codes: Rows, own: Rows) -> Counts:
        recent = past[-_RECENT_FOR_STEPS:]

        def count(part: SessionCounts, own: Rows) -> Counts:
            counts = summed(part.near, recent, np.ones(len(recent)))
            if not len(own):
                return counts[codes]
            mine = near_items([self._sequences[row] for row in own], recent, self._columns)
            return (counts - mine)[codes]

        return self._capped(count, own)


def named(table: Counts) -> list[dict[str, float]]:
    """Return each row of a table of evidence with its numbers by kind.

    Args:
        table: Shape `[candidates, kinds]`.
    """
    # Read at once: an array's elements are slow to get one by one.
    return [dict(zip(EVIDENCE, row, strict=True)) for row in table.tolist()]
