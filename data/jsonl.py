"""Your own catalogue: items as JSONL, and sessions beside them if there are any."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from ..errors import InputError
from ..records import Item, Session
from .attributes import given_attributes, read_attributes
from .files import total_bytes
from .json_rows import as_id, as_object, as_text, keys_of, read_json_lines, with_own_keys
from .malformed import ReadReport, RowError, parse_items, shown
from .session_file import read_sessions
from .titles import clean_title

OWN_KEYS = frozenset({"id", "title", "attributes"})
"""Keys of an item that are no attributes."""
_AMAZON = "; it seems to be Amazon's metadata: use `re2llm load amazon FOLDER`"


class JsonlReader:
    """Reads `items.jsonl` and `sessions.jsonl` in a folder, or a single file of items.

    One item per line: `{"id": 7, "title": "Heat", "year": 1995, "genres": ["Crime"]}`, or the same
    with the attributes in an object, `"attributes": {"year": 1995, …}`. An attribute is text, a
    number, a boolean or a list of texts and numbers; for other values, see
    `records.flat_attributes`.
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
        rows = read_json_lines(self._items, report)
        return parse_items(self._items, report, rows, _item)

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the sessions; none if there is no file of them."""
        if self._sessions is not None:
            yield from read_sessions(self._sessions, report, known=known, targets=True)


def _either(folder: Path, name: str) -> Path | None:
    return next((folder / n for n in (name, f"{name}.gz") if (folder / n).is_file()), None)


def _item(value: object) -> tuple[Item, list[str]]:
    """Return an item, and the names of attributes that cannot be kept."""
    row = as_object(value)
    if row is None:
        raise RowError(f"{shown(value)} is not an object with id and title")
    row = with_own_keys(row, OWN_KEYS)
    for key in ("id", "title"):
        if key not in row:
            raise RowError(f"has no {key}{_AMAZON if 'parent_asin' in row else keys_of(row)}")
    attributes, dropped = read_attributes(given_attributes(row, OWN_KEYS))
    named = row["title"]
    title = str(named) if isinstance(named, int) and not isinstance(named, bool) else named
    return Item(as_id(row["id"], "id"), clean_title(as_text(title, "title")), attributes), dropped
