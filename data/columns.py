"""Which columns of a user's own tables hold what: named by the user, or guessed by usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    ),
    "id": ("id", *_ITEM),
    "title": (
        *("title", "name", "itemname", "itemtitle", "productname", "producttitle", "movietitle"),
        *("booktitle", "trackname", "description"),
    ),
}


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
            if named not in there:
                raise InputError(role, f"{path} has no column {named!r}.", listed)
            chosen[role] = named
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
    by_form = {_form(name): name for name in reversed(there)}
    return next((by_form[form] for form in _USUAL[role] if form in by_form), None)


def _form(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
