"""Items from the rows of a user's own tables."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import date
from decimal import Decimal

from ..records import Item
from .attributes import read_attributes
from .cells import NO_FACT, NOTHING, cell_value, is_list, is_shortened
from .columns import plain_name, words_of
from .json_rows import as_id, as_text
from .malformed import RowError, shown
from .table_rows import Row
from .titles import clean_title


def item_of(
    row: Row,
    *,
    id: str,  # noqa: A002  # a role
    title: str,
    nothing: Collection[str] = NO_FACT,
) -> tuple[Item, list[str]]:
    """Return the item of a row, and the names of attributes that cannot be kept.

    Args:
        row: A row of a table of items.
        id: The column of the id.
        title: The column of the title. All others are attributes.
        nothing: Texts that stand for no attribute.

    Raises:
        RowError: The row has no id or no title.
    """
    facts = {
        plain_name(name): _fact(words_of(name, value), nothing)
        for name, value in row.items()
        if name not in {id, title}
    }
    attributes, dropped = read_attributes(facts)
    return Item(key_of(row.get(id), "id"), title_of(row.get(title)), attributes), dropped


def title_of(value: object) -> str:
    """Return a title, cleaned.

    Raises:
        RowError: The value is no title.
    """
    text = str(value) if isinstance(value, int | float | Decimal) else value
    if isinstance(text, str) and text.strip() in NOTHING:
        raise RowError(f"title {shown(text)} stands for no value")
    return clean_title(as_text(text, "title"))


def key_of(value: object, name: str, nothing: Collection[str] = NOTHING) -> str:
    """Return an id; a column with gaps holds whole numbers as 7.0.

    A number whose last digits are lost is no id: several ids look the same then.

    Args:
        value: The value of a cell.
        name: What messages call it.
        nothing: Texts that stand for no id.

    Raises:
        RowError: The value is no id.
    """
    if isinstance(value, str) and value.strip() in nothing:
        raise RowError(f"{name} {shown(value)} stands for no value")
    if is_list(value):
        raise RowError(f"{name} {shown(value)} is a list; write one row for each of its entries")
    if isinstance(value, str) and is_shortened(value.strip()):
        raise RowError(
            f"{name} {shown(value)} has lost its last digits, as in a spreadsheet; make the column "
            "text there, and export it again"
        )
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    return as_id(value, name).strip()


def key_in(row: Row, column: str) -> str:
    """Return the id in a row, as `key_of`; empty if there is none."""
    try:
        return key_of(row.get(column), column)
    except RowError:
        return ""


def _fact(value: object, nothing: Collection[str]) -> object:
    """Return a cell as JSON would hold it."""
    if isinstance(value, str):
        return cell_value(value, nothing)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
