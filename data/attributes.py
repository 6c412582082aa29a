"""An item's attributes as a file has them, limited to what PostgreSQL can store."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..flattening import flat_attributes, within_limits
from ..records import AttributeValue
from .json_rows import as_object, as_text
from .malformed import RowError, shown
from .titles import without_entities


def given_attributes(row: Mapping[str, object], own: Collection[str]) -> dict[str, object]:
    """Return the attributes of a described item: those in the object `attributes`, and other keys.

    Args:
        own: Keys that are no attributes, `attributes` among them.

    Raises:
        RowError: `attributes` is no object, or an attribute is given twice.
    """
    given = {} if row.get("attributes") is None else as_object(row["attributes"])
    if given is None:
        raise RowError(f"attributes {shown(row['attributes'])} are not an object")
    extra = {key: entry for key, entry in row.items() if key not in own}
    if twice := sorted(extra.keys() & given.keys()):
        raise RowError(f"gives the attribute {shown(twice[0])} twice")
    return extra | given


def read_attributes(given: Mapping[str, object]) -> tuple[dict[str, AttributeValue], list[str]]:
    """Return `flat_attributes` within limits, and the names of those that cannot be kept.

    HTML entities are resolved, as in titles.

    Raises:
        RowError: A name is blank, or a text cannot be stored.
    """
    flat, dropped = flat_attributes(given)
    resolved = {name: _resolved(value) for name, value in flat.items()}
    kept, surplus = within_limits(
        {n: value for n, value in resolved.items() if value not in ("", [])}
    )
    for name, value in kept.items():
        as_text(name, "attribute name")
        for text in [value] if isinstance(value, str | int | float) else value:
            if isinstance(text, str):
                as_text(text, f"attribute {shown(name)}")
    return kept, dropped + surplus


def _resolved(value: AttributeValue) -> AttributeValue:
    """Return a value without entities; it is empty if they stand for blanks alone."""
    if isinstance(value, str):
        return _text(value)
    return value if isinstance(value, int | float) else list(filter(None, map(_text, value)))


def _text(text: str) -> str:
    if "&" not in text:
        return text
    resolved = without_entities(text)
    return resolved if resolved.strip() else ""
