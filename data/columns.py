"""Which columns of a user's own tables hold what: named by the user, or guessed by usual names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ..errors import InputError

_ITEM = (
    *("itemid", "item", "productid", "product", "parentasin", "asin", "sku", "articleid"),
    *("movieid", "bookid", "isbn", "trackid", "songid", "gameid", "newsid", "iid"),
)
_USUAL: Mapping[str, Sequence[str]] = {
    "user": (
        *("userid", "user", "customerid", "customer", "uid", "visitorid", "reviewerid"),
        *("memberid", "clientid", "sessionid", "session"),
    ),
    "item": _ITEM,
    "time": (
        *("timestamp", "time", "datetime", "date", "eventtime", "createdat", "ts", "unixtime"),
        *("unixreviewtime", "orderdate", "purchasedate", "eventdate"),
        *("eventtimestamp", "eventts", "unixtimestamp", "timestampms", "timems"),
    ),
    "id": ("id", *_ITEM),
    "title": (
        *("title", "name", "itemname", "itemtitle", "productname", "producttitle", "movietitle"),
        *("booktitle", "trackname", "description"),
    ),
}
_TIME_WORDS = (
    *("timestamp", "datetime", "time", "date", "day", "clock", "epoch", "unix", "utc", "gmt"),
    *("event", "server", "local", "seconds", "millis", "micros", "ms", "us", "ns", "ts", "at"),
)
"""What a column's name says of a time itself, and not of what happened then."""
_NEARLY = 0.75
"""A column is as common as another one if it is held in this share of that one's rows."""
_TYPE = re.compile(r":(?:token|float)(?:_seq)?$")
_LISTS = (":token_seq", ":float_seq")


def choose_columns(
    path: Path,
    there: Sequence[str],
    given: Mapping[str, str | None],
    optional: Sequence[str] = (),
    other: str = "",
) -> dict[str, str]:
    """Return the column of a table for each role.

    Args:
        path: The table, for messages.
        there: Its columns.
        given: For each role, `user`, `item`, `time`, `id` or `title`, the column that the user
            named, or `None` to guess it.
        optional: Roles that may stay without a column.
        other: Another remedy where no column has a usual name.

    Raises:
        InputError: A column is not there, or none has a usual name.
    """
    listed = f"Its columns are {', '.join(there[:40])}."
    if any(name[:1].isdigit() for name in there):
        listed += " If that is a row, write a header above it."
    chosen: dict[str, str] = {}
    for role, named in given.items():
        if named is not None:
            meant = [named] if named in there else [n for n in there if plain_name(n) == named]
            if not meant:
                raise InputError(role, f"{path} has no column {named!r}.", listed)
            chosen[role] = meant[0]
            continue
        usual = usual_column(role, there)
        if usual is not None:
            chosen[role] = usual
        elif role not in optional:
            raise InputError(
                role,
                f"No column of {path} has a usual name for the {role}.",
                f"Name one as `{role}`. {listed} {other}".rstrip(),
            )
    return chosen


def usual_column(role: str, there: Sequence[str]) -> str | None:
    """Return the column with a usual name for a role; `None` if there is none."""
    return next(iter(usual_columns(role, there)), None)


def usual_columns(role: str, there: Sequence[str]) -> list[str]:
    """Return the columns with a usual name for a role, the most usual first."""
    by_form = {_form(name): name for name in reversed(there)}
    return [by_form[form] for form in _USUAL[role] if form in by_form]


def named_by(there: Sequence[str], names: Collection[str]) -> list[str]:
    """Return the columns that have one of some names, which are in small letters without marks."""
    return [name for name in there if _form(name) in names]


def rarer_columns(held: Mapping[str, int]) -> set[str]:
    """Return the columns that fewer rows hold than another one with a usual name for the role.

    A column that nearly as many rows hold is not rarer: the more usual name decides then.

    Args:
        held: For each column of a table, how many rows hold a value.
    """
    rarer, common = set[str](), set[str]()
    for role in _USUAL:
        usual = usual_columns(role, list(held))
        most = max((held[name] for name in usual), default=0)
        for name in usual:
            (common if held[name] >= _NEARLY * most else rarer).add(name)
    return rarer - common


def counterparts(name: str, ends: Sequence[str], there: Sequence[str]) -> list[str]:
    """Return the columns that are named as another one, except for a last word.

    Args:
        name: The other one, such as `order_date`: `order_time` and `time` are counterparts of it.
        ends: The last words that are looked for, such as `time`.
        there: The columns to choose from.
    """
    stems = {"", time_stem(name)}
    last = tuple(ends)
    return [
        column for column in there if _form(column).endswith(last) and time_stem(column) in stems
    ]


def time_stem(name: str) -> str:
    """Return what the name of a time says of its event, such as `order` in `order_date`.

    The stem is empty for `date`, `event_time`, `ts_ms` and the like.
    """
    stem = _form(name)
    while end := next((word for word in _TIME_WORDS if stem.endswith(word)), ""):
        stem = stem.removesuffix(end)
    return stem


def same_name(one: str, other: str) -> bool:
    """Return whether two tables call a column the same, apart from capitals and marks."""
    return _form(one) == _form(other)


def plain_name(name: str) -> str:
    """Return a column's name without the type that RecBole writes behind it."""
    return _TYPE.sub("", name) or name


def words_of(name: str, value: object) -> object:
    """Return what a cell lists, if the type in its column's name says that blanks separate it."""
    return value.split() if name.endswith(_LISTS) and isinstance(value, str) else value


def _form(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plain_name(name).casefold())
