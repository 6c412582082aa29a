"""The arguments of our tools, over LangChain and over MCP.

Models and clients fill optional arguments with an empty text, an empty list or null instead of
leaving them out. All of these mean "absent", for arguments that a tool does not have, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..errors import InputError
from ..runtime.request_limits import (
    MOST_ITEMS,
    MOST_TITLES,
    DomainName,
    ItemId,
    Rating,
    Title,
    is_absent,
)
from . import descriptions

DEFAULT_COUNT = 10
_NONE_OF_THESE = "none of these"
"""What a person says if they took nothing."""
_LONGEST_NAME = 40
"""Characters of a name that an error quotes."""


def _optional(value: Any) -> Any:
    return None if is_absent(value) else value


def _or(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default if is_absent(value) else value)


def _id(value: Any) -> Any:
    """Take whole numbers for ids: many data sets have ids that look like numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _picked(value: Any) -> Any:
    none = isinstance(value, str) and value.strip().casefold() == _NONE_OF_THESE
    return None if none or is_absent(value) else _id(value)


def _listed(value: Any) -> Any:
    """Take a text for a list of one: models forget the brackets."""
    return value if is_absent(value) or not isinstance(value, str) else [value]


IdOrTitle = Annotated[Title, BeforeValidator(_id)]
"""What a request names an item by."""
_Listed = Annotated[list[IdOrTitle], Field(max_length=MOST_ITEMS), BeforeValidator(_listed)]

History = Annotated[_Listed, Field(min_length=1, description=descriptions.HISTORY)]
Candidates = Annotated[
    _Listed | None,
    BeforeValidator(_optional),
    Field(description=descriptions.CANDIDATES),
]
Count = Annotated[int, Field(ge=1, le=100, description=descriptions.COUNT), _or(DEFAULT_COUNT)]
Domain = Annotated[
    DomainName | None, BeforeValidator(_optional), Field(description=descriptions.DOMAIN)
]
RecommendationId = Annotated[ItemId, Field(description=descriptions.RECOMMENDATION)]
Picked = Annotated[Title | None, BeforeValidator(_picked), Field(description=descriptions.PICKED)]
Titles = Annotated[
    list[IdOrTitle],
    Field(min_length=1, max_length=MOST_TITLES, description=descriptions.TYPED),
    BeforeValidator(_listed),
]
NoneAsEmpty = _or([])
"""For an optional list."""
Lowest = Annotated[Rating, _or(1), Field(description="The worst rating of the scale.")]
Highest = Annotated[Rating, _or(5), Field(description="The best rating of the scale.")]


def without_unknown(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the arguments of a call that its tool has.

    Raises:
        InputError: The call says something by another name, which would be passed over.
    """
    for name, value in given.items():
        if name not in known and not is_absent(value):
            remedy = f"Choose from {', '.join(known)}."
            raise InputError(name[:_LONGEST_NAME], "is not known.", remedy)
    return {name: value for name, value in given.items() if name in known}
