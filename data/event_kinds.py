"""Columns that say what kind of event each row of a log is: all kinds count as choices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path

from ..records import counted
from .cells import is_given
from .columns import named_by
from .malformed import ReadReport, shown
from .table_rows import Row

_KINDS = frozenset(
    {
        *("event", "eventtype", "eventname", "eventkind", "action", "actiontype", "actionname"),
        *("behavior", "behaviour", "behaviortype", "behaviourtype", "activity", "activitytype"),
        *("interaction", "interactiontype", "reaction", "reactiontype", "feedbacktype"),
    }
)
_PERHAPS = frozenset({"type", "kind", "verb", "status", "orderstatus", "financialstatus", "state"})
"""Such columns hold kinds of events only if their values are known for such."""
_FIGURES = frozenset(
    {
        *("rating", "ratings", "bookrating", "userrating", "overall", "stars", "score", "vote"),
        *("quantity", "qty", "lineitemquantity", "label", "liked", "islike", "islikes"),
        *("click", "clicked", "isclick", "purchased", "ispurchase", "ispurchased"),
    }
)
"""In columns so named, 0 or less often means that the item was not chosen."""
_KNOWN = frozenset(
    {
        *("view", "viewed", "views", "click", "clicked", "clicks", "pv", "impression", "cart"),
        *("carts", "addtocart", "purchase", "purchased", "purchases", "buy", "like", "liked"),
        *("fav", "favorite", "transaction", "play", "played"),
    }
)
_ALSO_THINGS = frozenset(
    {"play", "view", "views", "impression", "cart", "carts", "buy", "transaction"}
)
"""Of those, what things can be, such as a play beside an opera: one alone says nothing."""
_TAKES_BACK = frozenset(
    {
        *("unlike", "unliked", "dislike", "disliked", "remove", "removed", "delete", "deleted"),
        *("refund", "refunded", "return", "returned", "returns", "cancel", "cancelled"),
        *("canceled", "cancellation", "skip", "skipped", "reject", "rejected", "hide", "hidden"),
        *("unsubscribe", "unfollow", "unfavorite", "unfavourite", "unbookmark", "unsave"),
        *("uninstall", "downvote", "downvoted", "chargeback", "voided", "unwatch"),
    }
)
_JOINED = ("removefrom", "deletefrom", "thumbsdown", "notinterested", "thumbdown")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_LOW = re.compile(r"-[0-9]+(?:[.,][0-9]+)?|0+(?:[.,]0+)?|[Ff]alse|FALSE")
_MOST_KINDS = 50
"""A column with more values does not hold kinds."""
_LISTED = 10
_LOW_BEGINS = ("-", "0", "f", "F")
_OTHERS = "others"
_DROP = "leave some out, take their rows from the file"


class EventKinds:
    """Counts the kinds of events among a log's rows.

    Args:
        path: The log.
        there: Its columns.
        taken: Those that hold the user, the item, its title or the time, or that filter rows.
        filtered: Whether rows are filtered.
    """

    def __init__(
        self, path: Path, there: Sequence[str], taken: Collection[str], *, filtered: bool
    ) -> None:
        free = [name for name in there if name not in taken]
        self._path = path
        self._filter = None if filtered else kinds_column(there, taken)
        self._sure = set(named_by(free, _KINDS))
        self._kinds = {name: Counter[str]() for name in named_by(free, _KINDS | _PERHAPS)}
        self._low = {name: Counter[str]() for name in named_by(free, _FIGURES)}
        self._first: dict[tuple[str, str], int] = {}

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [*self._kinds, *self._low]

    def see(self, line: int, row: Row) -> None:
        """Count a row."""
        many = ""
        for name, kinds in self._kinds.items():
            kind = text_of(row.get(name))
            if kind not in kinds:
                if not kind:
                    continue
                self._first[name, kind] = line
                many = name if len(kinds) >= _MOST_KINDS else many
            kinds[kind] += 1
        if many:
            del self._kinds[many]
        for name, low in self._low.items():
            text = text_of(row.get(name))
            if text[:1] in _LOW_BEGINS and _LOW.fullmatch(text):
                low[text if text in low or len(low) < _MOST_KINDS else _OTHERS] += 1

    def tell(self, report: ReadReport) -> None:
        """Report what the rows were that were counted as choices."""
        for name, kinds in self._kinds.items():
            back = [kind for kind in kinds if takes_back(kind)]
            known = name in self._sure or back or _are_events(kinds)
            if known and (len(kinds) > 1 or back):
                few = "take some alone, name them as `events`" if name == self._filter else _DROP
                self._remark(report, f"{name} tells what each row is", kinds, few)
            for kind in back:
                note = report.warn(
                    self._path,
                    self._first[name, kind],
                    f"{name} {shown(kind)} seems to take the item back, but counts as a choice",
                )
                note.rows = kinds[kind]
        for name, low in self._low.items():
            if low:
                rows = counted(low.total(), "row")
                self._remark(report, f"{name} is 0 or less in {rows}", low, _DROP)

    def _remark(self, report: ReadReport, told: str, values: Counter[str], few: str) -> None:
        listed = ", ".join(
            f"{value if value.isprintable() else shown(value)} ({rows:,})"
            for value, rows in values.most_common(_LISTED)
        )
        more = ", …" if len(values) > _LISTED else ""
        counts = f"All rows count as choices of the item; to {few}."
        report.remarks.append(f"{self._path}: {told}: {listed}{more}. {counts}")


def kinds_column(there: Sequence[str], taken: Collection[str]) -> str | None:
    """Return the column that is named as one of kinds of events; `None` if there is none.

    Args:
        there: The columns of a log.
        taken: Those that hold the user, the item or the time.
    """
    free = [name for name in there if name not in taken]
    return next(iter(named_by(free, _KINDS) + named_by(free, _PERHAPS)), None)


def takes_back(kind: str) -> bool:
    """Return whether the name of an event says that an item was put back, refused or returned."""
    compact = "".join(word.lower() for word in _WORD.findall(kind))
    return bool(_words(kind) & _TAKES_BACK) or any(joined in compact for joined in _JOINED)


def _are_events(kinds: Collection[str]) -> bool:
    known = {word for kind in kinds for word in _words(kind) & _KNOWN}
    return len(known) > 1 or bool(known - _ALSO_THINGS)


def _words(kind: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(kind[:100])}


def text_of(cell: object) -> str:
    """Return what a cell says; empty if it says nothing, or is no single value."""
    if not is_given(cell) or not isinstance(cell, str | int | float | Decimal):
        return ""
    text = f"{cell:f}" if isinstance(cell, Decimal) else str(cell)  # not 0E+2
    return text.strip()[:60]
