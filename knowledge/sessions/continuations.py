"""Finds the sessions that continue another one, and so show what was chosen in it.

A person's session that grows is stored again and again: `[a, b]` and then `c`, later `[a, b, c]`
and then `d`. So are the windows of a long history. What ranks the first must not see the second.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .session_counts import joined_up

Rows = NDArray[np.int64]

_SHARED = 3
"""Items in a row that two people rarely share by chance; more in a small catalogue."""
_BY_CHANCE = 0.1
"""Expected number of sessions that may begin with given items by chance."""
_CODE = np.dtype(">u4")
"""Big-endian, so that texts of bytes are ordered as their codes are."""
_WIDTH = _CODE.itemsize
_AFTER = b"\xff" * _WIDTH


def coded(sequences: Iterable[Sequence[str]]) -> list[Rows]:
    """Return the items of some sessions as numbers, the same for the same item."""
    codes: dict[str, int] = {}
    return [np.array([codes.setdefault(i, len(codes)) for i in s], np.int64) for s in sequences]


class Continuations:
    """The sessions of a domain by how they begin.

    A session continues another one if it begins with all its items, the target included. So it
    does if it begins with three or more of its last items, or with a history of three or more and
    holds its target later; and if it continues a session that does and still holds the target.
    Where chance joins three items, it takes more of them.

    Args:
        sequences: The items of each session as codes, the target last.
    """

    def __init__(self, sequences: Sequence[Rows]) -> None:
        self._texts = [_text(sequence) for sequence in sequences]
        order = sorted(range(len(sequences)), key=self._texts.__getitem__)
        self._rows = np.array(order, dtype=np.int64)
        self._sorted = [self._texts[row] for row in order]
        self._lengths = np.array([len(sequences[row]) for row in order], dtype=np.int64)
        self._ends, self._lasts = _ends(self._sorted)
        self._histories = Counter(text[:-_WIDTH] for text in self._texts)
        items, owners = joined_up([sequences[row] for row in order])
        by_item = np.argsort(items, kind="stable")
        self._items, self._holders = items[by_item], owners[by_item]
        self._start = _WIDTH * _shared(items, len(order))
        self._of_copies: dict[tuple[bytes, bool], Rows] = {}
        self._starts: dict[bytes, tuple[int, int]] = {}
        for place, text in enumerate(self._sorted):
            if len(text) >= self._start:
                start = text[: self._start]
                self._starts[start] = (self._starts.get(start, (place, 0))[0], place + 1)

    def of(self, row: int, *, directly: bool = False) -> tuple[Rows, Rows]:
        """Return the copies of a session, itself included, and the sessions that continue it.

        Of these there are no more journeys, ends of growing sessions with all that leads there,
        than people began like this: copies, or sessions of the same history where that is two items
        at least. Others may rightly begin alike.

        Args:
            directly: Leave out what only continues another one that is found.

        Returns:
            Rows of the sessions.
        """
        text = self._texts[row]
        low, after, _ = self._span(text)
        found = self._of_copies.get((text, directly))
        if found is None:
            found = self._found(text, int(self._rows[low]), directly)
            if after - low > 1:
                self._of_copies[text, directly] = found
        return self._rows[low:after], self._rows[found]

    def continued(self, sequence: Rows) -> bool:
        """Return whether any session continues another one, which need not be among them."""
        return len(self._found(_text(sequence), 0, directly=True)) > 0

    def _found(self, text: bytes, row: int, directly: bool) -> Rows:
        """Return the places of the sessions that continue another one."""
        low, after, high = self._span(text)
        same = np.arange(after, high)
        later = self._later(text)
        if len(later):
            same = np.union1d(same, later)
        starts = range(_WIDTH, len(text) - self._start + 1, _WIDTH)
        tails = {text[at:] for at in starts if text[at : at + self._start] in self._starts}
        if not len(same) and not tails:
            return same
        people = max(after - low, 1)
        if len(text) > 2 * _WIDTH:
            people = max(people, self._histories[text[:-_WIDTH]])
        found = set(self._journeys(same, people, row).tolist())
        known, tried = set[int](), set[bytes]()
        while tails or len(found) > len(known):
            for tail in tails:
                others = np.arange(*self._beginning(tail))
                others = others[(others < low) | (others >= after)]
                found.update(self._journeys(others, people, row).tolist())
            if directly:
                break
            tried |= tails
            new, known = found - known, set(found)
            tails = {tail for place in new for tail in self._tails(place, text)} - tried
        return np.array(sorted(found), np.int64)

    def _span(self, text: bytes) -> tuple[int, int, int]:
        """Return the first place of a session, and those behind its copies and continuations."""
        low, high = self._beginning(text)
        return low, bisect_right(self._sorted, text, low, high), high

    def _beginning(self, text: bytes) -> tuple[int, int]:
        """Return from and to which place sessions begin with some items."""
        low, high = 0, len(self._sorted)
        if len(text) >= self._start:  # looked up, as there are few that begin like this
            low, high = self._starts.get(text[: self._start], (0, 0))
        low = bisect_left(self._sorted, text, low, high)
        return low, bisect_left(self._sorted, text + _AFTER, low, high)

    def _later(self, text: bytes) -> Rows:
        """Return the places of longer sessions with the same history that hold the target later."""
        history, target = text[:-_WIDTH], np.frombuffer(text[-_WIDTH:], _CODE)[0]
        none = np.zeros(0, dtype=np.int64)
        if len(history) < self._start or target in np.frombuffer(history, _CODE):
            return none
        low, high = self._beginning(history)
        if high - low == self._histories[history]:
            return none
        held = self._holders[slice(*np.searchsorted(self._items, [target, target + 1]))]
        held = held[slice(*np.searchsorted(held, [low, high]))]
        return np.unique(held[self._lengths[held] > len(text) // _WIDTH])

    def _tails(self, place: int, text: bytes) -> Iterator[bytes]:
        """Return how a session goes on from a target, and from the item before it."""
        its, target = self._sorted[place], text[-_WIDTH:]
        at = its.find(target)
        while at >= 0:
            for start in (at - _WIDTH, at) if at % _WIDTH == 0 else ():
                if start > 0 and its[start : start + self._start] in self._starts:
                    yield its[start:]
            at = its.find(target, at + 1)

    def _journeys(self, places: Rows, most: int, row: int) -> Rows:
        """Return those of some sessions, by place, that lead to no more ends than asked for.

        The journeys with most sessions come first, then those loaded next to the given row.
        """
        if len(places) <= most:
            return places
        ends, lasts = self._ends[places], self._lasts[places]
        longer = np.append(places, len(self._sorted))[np.searchsorted(places, lasts, "right")]
        is_end = longer >= ends
        leaves = places[is_end]
        if len(leaves) <= most:
            return places
        steps = np.searchsorted(places, leaves, "right")
        steps = steps - np.searchsorted(np.sort(ends), leaves, "right")
        away = np.abs(self._rows[leaves] - row)
        kept = np.sort(leaves[np.lexsort((away, -steps))[:most]])
        leading = np.searchsorted(kept, ends) - np.searchsorted(kept, places)
        copy = np.arange(len(places)) - np.searchsorted(lasts, lasts)
        return places[np.where(is_end, np.isin(places, kept), copy < leading)]


def _shared(items: Rows, sessions: int) -> int:
    """Return how many items in a row are hardly shared by chance, as often as each is chosen."""
    shares = np.bincount(items) / max(len(items), 1)
    alike = min(float(shares @ shares), 1 - 1e-9) or 0.5
    return max(_SHARED, math.ceil(math.log(max(sessions, 1) / _BY_CHANCE) / -math.log(alike)))


def _text(sequence: Rows) -> bytes:
    return sequence.astype(_CODE).tobytes()


def _ends(texts: Sequence[bytes]) -> tuple[Rows, Rows]:
    """Return, for each of some sorted texts, the place behind those that begin with it.

    Also the place of its last copy.
    """
    ends = np.full(len(texts), len(texts))
    lasts = np.arange(len(texts))
    around: list[int] = []
    for place, text in enumerate(texts):
        while around and not text.startswith(texts[around[-1]]):
            ends[around.pop()] = place
        around.append(place)
    for place in range(len(texts) - 2, -1, -1):
        if texts[place] == texts[place + 1]:
            lasts[place] = lasts[place + 1]
    return ends, lasts
