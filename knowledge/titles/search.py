"""Finds items by what people call them: part of a title, with typing errors, in any case."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Item, spoken
from .forms import (
    article_first,
    before_numbers,
    initials_joined,
    joined,
    may_be_letter,
    numbers,
    unnumbered,
)
from .likeness import SURE, likeliest
from .words import BRACKETS, clean, names, without_article, words

_EXACT = 100.0
_PART = 99.0
"""Another name of the item, such as its title without the subtitle."""
_SUBTITLE = 95.0
"""A part of its title that others may share."""
_AHEAD = 6.0
"""How much likelier than the next the best title must be to need no question."""
_SERIES = SURE - 1
"""The words before a number, which name a whole series or its first part."""
_LONGEST = 300
"""Most characters to compare of what was typed and of a title."""
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_TELLS_YEAR = ("year", "date", "release")
"""Attributes with one of these in their names tell when an item came out."""


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """An item that may be meant.

    Attributes:
        item: The item.
        likeness: The likeness of its title to what was typed, 0 to 100; 100 is the same title.
    """

    item: Item
    likeness: float


class TitleSearch:
    """The titles of a catalogue, held in memory. Searching 10,000 takes some 30 ms.

    Args:
        items: The whole catalogue.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = {item.id: item for item in items}
        self._called: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._joined: defaultdict[str, dict[str, float]] = defaultdict(dict)
        shared = _series(self._items.values())
        self._tens = {
            before for item in self._items.values() for before in before_numbers(_form(item.title))
        }
        for item in self._items.values():
            title = clean(item.title[:_LONGEST])
            bare = BRACKETS.sub(" ", title)
            told = numbers(_form(bare))
            for name in sorted(names(item), key=lambda name: not name.aside):
                form = " ".join(name.words)
                like = _SUBTITLE if name.aside else _PART
                if not name.aside and (_unnumbered(told, form) or (name.first and form in shared)):
                    like = _SERIES
                self._called[form][item.id] = self._called[initials_joined(form)][item.id] = like
                self._join(form, item.id, like)
            self._join(title, item.id, _PART)
            self._join(bare, item.id, _PART)
            for form in (" ".join(words(title)), _form(item.title)):
                if form:
                    self._called[form][item.id] = _EXACT
        self._forms = list(self._called)

    def _join(self, title: str, item: str, likeness: float) -> None:
        plain, numbered = joined(title)
        lettered = may_be_letter(_form(title), self._tens)
        for form, like in ((numbered, _SERIES if lettered else _EXACT), (plain, _EXACT)):
            if form:
                known = self._joined[form].get(item, 0.0)
                self._joined[form][item] = max(known, min(like, likeness))

    def ids_among(self, typed: Iterable[str]) -> list[str]:
        """Return the words that are ids of items."""
        return [word for word in typed if word in self._items]

    def exact(self, typed: str) -> list[Item]:
        """Return the items of exactly this title, whatever its case and punctuation."""
        called = self._called.get(_form(typed), {})
        return [self._items[id_] for id_, likeness in called.items() if likeness == _EXACT]

    def titled(self, typed: Iterable[str]) -> dict[str, list[Item]]:
        """Return the items whose title each text is, apart from blanks around it."""
        found = {text: self.exact(text) for text in typed}
        if any(not _form(text) for text in found):  # such as "$"
            formless = defaultdict[str, list[Item]](list)
            for item in self._items.values():
                formless[item.title.strip()].append(item)
            found |= {text: formless.get(text.strip(), []) for text in found if not _form(text)}
        return {
            text: [item for item in items if item.title.strip() == text.strip()]
            for text, items in found.items()
        }

    def called(self, typed: str) -> list[Item]:
        """Return the items that this names without a doubt, such as by the part before a colon."""
        called = self._called.get(_form(typed), {})
        return [self._items[id_] for id_, likeness in called.items() if likeness >= _PART]

    def is_called(self, id_: str, typed: str) -> bool:
        """Return whether this is a name of an item, or of its series; a year does not count."""
        dated = _dated(typed[:_LONGEST])
        forms = {_form(one) for one in (typed, *dated[:1])} if dated else {_form(typed)}
        item = self._items.get(id_)
        same = item is not None and _literal(item.title) == _literal(typed)
        return same or any(id_ in self._called.get(form, {}) for form in forms)

    def listed(self, typed: str, title: str) -> list[TitleMatch]:
        """Return the items that the title in a line of a list means; none if it is no title.

        Args:
            typed: The line. Nothing is returned if a title begins so, since it may be meant.
            title: The text after the line's number.
        """
        form = _form(typed)
        matches = self.find(title)
        if not matches or matches[0].likeness < _EXACT:
            return []
        return [] if any(one.startswith(form) for one in self._forms) else matches

    def find(self, typed: str, *, count: int = 5) -> list[TitleMatch]:
        """Return the items that may be meant, likeliest first.

        Args:
            typed: What a person calls it. A year after the title distinguishes items with the same
                title.
            count: The highest number to return.
        """
        matches = self._ranked(typed, count)
        dated = _dated(typed[:_LONGEST])
        if dated is None or (matches and matches[0].likeness == _EXACT):
            return matches[:count]
        title, year = dated
        titled = self._ranked(title, count) or matches
        best = [match for match in titled if titled[0].likeness - match.likeness < _AHEAD]
        first = matches[0].item if matches else None
        if first and year in first.title and any(match.item is first for match in best):
            return matches[:count]  # the number is a part of the title
        if then := [match for match in best if year in _years(match.item)]:
            return then[:count]
        if any(_years(match.item) for match in titled):  # of another year: ask
            titled = [TitleMatch(m.item, min(m.likeness, SURE - 1)) for m in titled]
        return titled[:count]

    def _ranked(self, typed: str, count: int) -> list[TitleMatch]:
        form = _form(typed)
        if not form:
            return self._as_written(typed)
        likeness: dict[str, float] = {}
        same = [self._called.get(form, {})]
        same += [self._joined.get(one, {}) for one in joined(clean(typed[:_LONGEST]))]
        for item, like in (pair for called in same for pair in called.items()):
            likeness[item] = max(likeness.get(item, 0.0), like)
        numbered = numbers(form)
        by_ten = "10" in numbered and "x" not in form.split()
        # The name of a whole series is no part of one title.
        names_series = set(self._called.get(form, {}).values()) == {_SERIES}
        highest = _SERIES if names_series else _PART - 1
        for other, score in likeliest(form, self._forms, 8 * count):
            if other == form:
                continue
            # With another number it is another one of its series.
            differs = numbers(other) != numbered or (by_ten and may_be_letter(other, self._tens))
            most = _SERIES if differs else highest
            for item in self._called[other]:
                likeness[item] = max(likeness.get(item, 0.0), min(score, most))
        ranked = sorted(likeness.items(), key=lambda found: (-found[1], found[0]))
        return self._told_apart(typed, [TitleMatch(self._items[id_], like) for id_, like in ranked])

    def _as_written(self, typed: str) -> list[TitleMatch]:
        """Return the items of a title without a letter or digit, such as "$"."""
        same = [item for item in self._items.values() if _literal(item.title) == _literal(typed)]
        return [TitleMatch(item, _EXACT) for item in same] if typed.strip() else []

    def _told_apart(self, typed: str, matches: list[TitleMatch]) -> list[TitleMatch]:
        """Let the title win, of several that differ in an article or in signs, that is typed so."""
        same = [match.item for match in matches if match.likeness == _EXACT]
        if len(same) > 1:
            for form in (_literal, _whole):
                own = [item for item in same if form(item.title) == form(typed)]
                if len(own) == 1:
                    rest = (TitleMatch(m.item, min(m.likeness, _PART)) for m in matches)
                    return [TitleMatch(own[0], _EXACT), *(m for m in rest if m.item is not own[0])]
        return matches


def _series(items: Iterable[Item]) -> set[str]:
    """Return the forms that come before the number of a title: they name a series."""
    found: set[str] = set()
    for item in items:
        whole = _form(BRACKETS.sub(" ", clean(item.title[:_LONGEST])))
        told = numbers(whole)
        if told:
            parts = (" ".join(name.words) for name in names(item) if name.first)
            found.update(form for form in parts if _unnumbered(told, form))
            found.update(unnumbered(whole))
    return found


def _unnumbered(told: tuple[str, ...], form: str) -> bool:
    """Whether a name lacks a number of its title."""
    return not set(told) <= set(numbers(form))


def settled(matches: list[TitleMatch]) -> Item | None:
    """Return the item that is meant, if there is no doubt.

    Args:
        matches: Matches from `TitleSearch.find`.
    """
    if not matches or matches[0].likeness < SURE:
        return None
    alone = len(matches) == 1
    if alone or matches[0].likeness == _EXACT > matches[1].likeness:
        return matches[0].item
    return matches[0].item if matches[0].likeness - matches[1].likeness >= _AHEAD else None


def _form(title: str) -> str:
    """Return a title's words as they are compared, without an article at either end."""
    return " ".join(words(without_article(clean(title[:_LONGEST]))))


def _whole(title: str) -> str:
    return " ".join(words(article_first(clean(title[:_LONGEST]))))


def _literal(title: str) -> str:
    return " ".join(title[:_LONGEST].casefold().split())


def _dated(typed: str) -> tuple[str, str] | None:
    """Split a title from the year behind it: "Heat (1995)", "Cosmos (2006-2007)", "Heat 1995"."""
    for found in reversed(list(_YEAR.finditer(typed))):
        before, after = typed[: found.start()].rstrip(), typed[found.end() :].rstrip()
        title = before.rstrip(" ,([")
        closed = after[-1:] in {")", "]"} and not any(c in "()[]" for c in after[:-1])
        if title and (closed if before[-1:] in {"(", "["} else not after):
            return title, found[0]
    return None


def _years(item: Item) -> set[str]:
    """Return the years that an item's title and attributes name."""
    dates = [
        spoken(value)
        for name, value in item.attributes.items()
        if any(word in name.casefold() for word in _TELLS_YEAR)
    ]
    # The year of "2012 (2009)" is the one in brackets.
    inside = " ".join(BRACKETS.findall(item.title[:_LONGEST]))
    title = inside if _YEAR.search(inside) else item.title
    return {year for text in (title, *dates) for year in re.findall(_YEAR, text)}
