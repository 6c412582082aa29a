"""Whether a column's value is one of many, as one parameter of a statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, any_, bindparam
from sqlalchemy.orm import InstrumentedAttribute

_Value = TypeVar("_Value")


def is_among(
    column: InstrumentedAttribute[_Value], values: Iterable[_Value]
) -> ColumnElement[bool]:
    """Return whether a column's value is one of some.

    `in_` takes a parameter for each value, and a statement has 65,535 at most. It also makes a
    different statement for each number of values, which psycopg must parse again.

    Args:
        column: A table's column.
        values: Any number of them; none is never true.
    """
    several: Any = bindparam(None, list(values), type_=ARRAY(column.type), unique=True)
    return column == any_(several)
