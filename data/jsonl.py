"""Your own catalogue: items as JSONL, and sessions beside them if there are any."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import cast

from ..errors import InputError
from ..records import AttributeValue, Item, Session
from .files import total_bytes
from .json_rows import as_id, as_object, as_text, read_json_lines
from .malformed import ReadReport, RowError, parse_items, shown
from .session_file import read_sessions
from .titles import clean_title

_OWN_KEYS = frozenset({"id", "title", "attributes"})


class JsonlReader:
    """Reads `items.jsonl` and `sessions.jsonl` in a folder, or a single file of items.

    One item per line: `{"id": 7, "title": "Heat", "year": 1995, "genres": ["Crime"]}`, or the same
    with the attributes in an object, `"attributes": {"year": 1995, …}`. An attribute is text, a
    number, a boolean or a list of texts and numbers; null, blank text and empty lists are left out.
    Files may be gzip-compressed; in a folder they are then called `items.jsonl.gz` and
    `sessions.jsonl.gz`. See `CatalogueReader` for the methods.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            remedy = "Give a JSONL file of items, or a folder that holds items.jsonl."
            raise InputError(str(path), "does not exist.", remedy)
        items: Path | None = path
        self._sessions: Path | None = None
        if path.is_dir():
            items = _either(path, "items.jsonl")
            self._sessions = _either(path, "sessions.jsonl")
        if items is None:
            remedy = "The folder must hold items.jsonl, and may hold sessions.jsonl."
            raise InputError(str(path), "items.jsonl is missing.", remedy)
        self._items = items
        self.item_bytes = total_bytes([items])
        self.session_bytes = total_bytes([self._sessions] if self._sessions else [])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the items in the order of the file."""
        return parse_items(self._items, report, read_json_lines(self._items, report), _item)

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the sessions; none if there is no file of them."""
        if self._sessions is not None:
            yield from read_sessions(self._sessions, report, known=known)


def _either(folder: Path, name: str) -> Path | None:
    return next((folder / n for n in (name, f"{name}.gz") if (folder / n).is_file()), None)


def _item(value: object) -> Item:
    row = as_object(value)
    if row is None:
        raise RowError(f"{shown(value)} is not an object with id and title")
    for key in ("id", "title"):
        if key not in row:
            raise RowError(f"has no {key}")
    named = {} if row.get("attributes") is None else as_object(row["attributes"])
    if named is None:
        raise RowError(f"attributes {shown(row['attributes'])} are not an object")
    extra = {key: entry for key, entry in row.items() if key not in _OWN_KEYS}
    if twice := sorted(extra.keys() & named.keys()):
        raise RowError(f"gives the attribute {shown(twice[0])} twice")
    attributes: dict[str, AttributeValue] = {}
    for name, entry in (extra | named).items():
        if (kept := _attribute(entry, as_text(name, "attribute name"))) is not None:
            attributes[name] = kept
    title = clean_title(as_text(row["title"], "title"))
    return Item(as_id(row["id"], "id"), title, attributes)


def _attribute(value: object, name: str) -> AttributeValue | None:
    """Return an attribute's value, or `None` where it says nothing."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return as_text(value, name) if value.strip() else None
    if not isinstance(value, list):
        raise RowError(f"attribute {shown(name)} must be text, a number or a list of texts")
    entries: list[str] = []
    for entry in cast("list[object]", value):
        if isinstance(entry, int | float) and not isinstance(entry, bool):
            entries.append(str(entry))
        else:
            entries.append(as_text(entry, f"attribute {shown(name)}: entry"))
    return entries or None
