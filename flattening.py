"""Attributes as people and shops write them, nested and with gaps, as an item holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from .records import AttributeValue

_DEEPEST = 4
"""Objects within objects that are flattened to attributes."""
MOST_VALUES = 1_000
"""Of one item, where each entry of a list counts. Every prompt that shows the item reads them."""
_MOST_CHARACTERS = 250_000
"""Of an item's attributes in all, with their names."""


def flat_attributes(given: Mapping[str, object]) -> tuple[dict[str, AttributeValue], list[str]]:
    """Return attributes as an item holds them: `{"details": {"brand": …}}` as `details.brand`.

    Null, blank text and empty lists and objects say nothing and are left out.

    Returns:
        The attributes, and the names of those that cannot be kept: lists of objects or lists, and
        objects that are nested too deeply.
    """
    kept: dict[str, AttributeValue] = {}
    dropped: list[str] = []
    for name, value in _leaves(given, "", _DEEPEST):
        entry = _entry(value)
        if entry is not None:
            kept.setdefault(name, entry)
        elif _says_something(value):
            dropped.append(name)
    return kept, dropped


def within_limits(
    attributes: Mapping[str, AttributeValue],
) -> tuple[dict[str, AttributeValue], list[str]]:
    """Return as many attributes as an item may have, and the names of the others.

    Those are left out that do not fit beside the ones before them. None is cut: half a list says
    something else.
    """
    kept: dict[str, AttributeValue] = {}
    dropped: list[str] = []
    values = characters = 0
    for name, value in attributes.items():
        listed = [value] if isinstance(value, str | int | float) else value
        more = values + len(listed)
        longer = characters + len(name) + sum(len(str(one)) for one in listed)
        if more > MOST_VALUES or longer > _MOST_CHARACTERS:
            dropped.append(name)
        else:
            kept[name], values, characters = value, more, longer
    return kept, dropped


def _leaves(given: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for key, value in given.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and depth > 1:
            yield from _leaves(cast("dict[str, object]", value), f"{name}.", depth - 1)
        else:
            yield name, value


def _entry(value: object) -> AttributeValue | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, list):
        return None
    texts: list[str] = []
    for entry in cast("list[object]", value):
        if isinstance(entry, str):
            texts += [entry] if entry.strip() else []
        elif isinstance(entry, int | float) and not isinstance(entry, bool):
            texts.append(str(entry))
        elif entry is not None:
            return None
    return texts or None


def _says_something(value: object) -> bool:
    left = [value]
    while left:  # in no call of its own: lists may be nested as deeply as JSON is
        one = left.pop()
        if isinstance(one, list):
            left += cast("list[object]", one)
        elif one is not None and one != {} and not (isinstance(one, str) and not one.strip()):
            return True
    return False
