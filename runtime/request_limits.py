"""How long the texts and lists of a request may be, how large its numbers, and what is repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticKnownError

from ..errors import InputError
from ..flattening import flat_attributes
from ..records import without_surrogates
from .plain_errors import sentence

MOST_ITEMS = 10_000
"""Items or reviews in one list of a request."""
MOST_TITLES = 200
"""Titles that one request may look up."""
MOST_SHOWN = 1_000
"""Items that an answer shows."""
_NO_ID = frozenset({"string_too_long", "string_unicode"})
"""Pydantic's error types for texts that no database holds as an id."""
LARGEST_KEY = 2**31 - 1
"""The largest number of a stored thing, and the largest count in the database."""
LARGEST_SEED = 2**32 - 1
LARGEST_COUNT = 10**15
"""The largest number that has no other limit."""


_ABSENT = frozenset({"", "null", "none"})


def is_absent(value: object) -> bool:
    """Return whether a value says nothing, as models and programs fill in what is optional."""
    if isinstance(value, str):
        return value.strip().casefold() in _ABSENT
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def _repaired(value: Any) -> Any:
    return without_surrogates(value) if isinstance(value, str) else value


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")  # as 1 it could be a rating
    return value


def _is_empty(value: object) -> bool:
    return isinstance(value, str | list) and not value


def _flat(value: Any) -> Any:
    """Take attributes as a file of items may hold them: nested, or null where one is unknown.

    What is true or false is 1 or 0. Programs fill in an empty text or list for none, too.
    """
    if not isinstance(value, dict):
        return {} if value is None or _is_empty(value) else value
    given = cast("dict[str, object]", value)
    if len(given) > _MOST_ATTRIBUTES:
        return given
    flat = flat_attributes(given)[0]
    return {name: int(v) if isinstance(v, bool) else v for name, v in flat.items()}


_MOST_ATTRIBUTES = 200
_TYPE = re.compile(r"(?:function-\w+|list|dict)\[.*\]|constrained-(?:str|int|float)")
"""What pydantic calls the types of a value that may have several."""
_REPAIR = BeforeValidator(_repaired)
LONGEST_USER = 200
"""Characters of a person's name."""
LONGEST_TEXT = 100_000
"""Characters of a text."""

ItemId = Annotated[str, Field(max_length=500), _REPAIR]
ItemIds = Annotated[list[ItemId], Field(max_length=MOST_ITEMS)]
DomainName = Annotated[str, Field(max_length=500), _REPAIR]
UserName = Annotated[str, Field(max_length=LONGEST_USER), _REPAIR]
Title = Annotated[str, Field(max_length=2_000), _REPAIR]
Titles = Annotated[list[Title], Field(max_length=MOST_ITEMS)]
LongText = Annotated[str, Field(max_length=LONGEST_TEXT), _REPAIR]
OptionalText = Annotated[LongText, BeforeValidator(lambda value: "" if value is None else value)]
RowKey = Annotated[int, Field(ge=1, le=LARGEST_KEY)]
Rating = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False), BeforeValidator(_no_truth)]
_Whole = Annotated[int, Field(ge=-LARGEST_COUNT, le=LARGEST_COUNT)]
_Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Attributes = Annotated[
    dict[Title, Title | _Whole | _Number | Annotated[list[Title], Field(max_length=1_000)]],
    Field(max_length=_MOST_ATTRIBUTES),
    BeforeValidator(_flat),
]


def input_error(
    error: ValidationError, schema: str = "input", known: Iterable[str] = ()
) -> InputError:
    """Return what is wrong with the first field that does not fit.

    Args:
        error: An error from pydantic.
        schema: The schema that the field is in.
        known: The fields that there are, to name where there is no such field.
    """
    where, first = told_errors(error.errors(include_url=False))[0]
    problem = sentence(first, known)
    if first["type"] in _NO_ID and len(where) > 1 and where[-1].isdigit():
        # As for an id that is not known, the list is named.
        *where, entry = where
        problem = f"Entry {int(entry) + 1}: {problem}"
    return InputError(".".join(where) or schema, problem, f"See the {schema} schema.")


def told_errors(
    errors: Sequence[ErrorDetails], *, skipped: int = 0
) -> list[tuple[Sequence[str], ErrorDetails]]:
    """Return the errors to tell: for each value one, with the fields that lead to it.

    Where a value may have several types, pydantic tells of each why it does not fit, and names the
    type as if it were a field. The one that the value has says what is wrong.

    Args:
        errors: From pydantic, at least one.
        skipped: Parts of each place to leave out, such as `body`.
    """
    told: dict[tuple[str, ...], ErrorDetails] = {}
    for error in errors:
        parts = map(str, error["loc"][skipped:] or error["loc"])
        where = tuple(part[:40] for part in parts if not _TYPE.fullmatch(part))
        if where not in told or (_of_type(told[where]) and not _of_type(error)):
            told[where] = error
    inside = {where[:end] for where in told for end in range(len(where))}
    return [(w, error) for w, error in told.items() if w not in inside or not _of_type(error)]


def _of_type(error: ErrorDetails) -> bool:
    """Return whether the value has another type: as it is, or as far as its text can be read."""
    return error["type"].endswith("_type") or "_parsing" in error["type"]
