"""The data sets that can be loaded; a new one is a class in a new file, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ..errors import InputError
from ..records import Item, Session
from .amazon import AmazonReader
from .amazon_reviews import AmazonReviewsReader
from .hetrec import HetRecReader
from .interactions import TableOptions, TableReader
from .item_table import ItemTableReader, holds_items_alone
from .jsonl import JsonlReader
from .malformed import ReadReport
from .movielens import MovieLensReader


class CatalogueReader(Protocol):
    """Streams a data set's items, and its sessions if it has any.

    The constructor checks that the files are there and reads nothing. What cannot be used goes to
    the report, whose `bytes_read` grows towards `item_bytes` and then by `session_bytes`.

    Attributes:
        item_bytes: Bytes that `items` reads, for a progress bar.
        session_bytes: Bytes that `sessions` reads; 0 if the data set has none.
    """

    item_bytes: int
    session_bytes: int

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the items, each id once.

        Raises:
            InputError: A file cannot be used at all.
        """
        ...

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the sessions; none if the data set has none.

        Args:
            known: Item ids that may occur, or `None` for any; a row with another is malformed.

        Raises:
            InputError: A file cannot be used at all.
        """
        ...


def _amazon(path: Path) -> CatalogueReader:
    """Return the reader for Amazon Reviews 2023 as published, or for a folder of games."""
    if not path.exists() or (path / AmazonReader.TITLES).is_file():
        return AmazonReader(path)
    return AmazonReviewsReader(path)


def table_reader(path: Path | None, options: TableOptions | None = None) -> CatalogueReader:
    """Return the reader for interactions, or for items alone.

    Args:
        path: The table; `None` if the options name one of items.
        options: Where the items are, and which columns hold what.

    Raises:
        InputError: A file or a column is missing.
    """
    options = options or TableOptions()
    items = options.items if path is None else path
    if items is None:
        raise InputError("path", "It is missing.", "Name the table of interactions or items.")
    if path is None or holds_items_alone(path, options):
        return ItemTableReader(items, options)
    return TableReader(path, options)


READERS: Mapping[str, Callable[[Path], CatalogueReader]] = MappingProxyType(
    {
        "hetrec": HetRecReader,
        "movielens": MovieLensReader,
        "amazon": _amazon,
        "jsonl": JsonlReader,
        "table": table_reader,
    }
)
"""The readers by their name in `re2llm load`."""


def open_reader(
    dataset: str, path: Path | None, table: TableOptions | None = None
) -> CatalogueReader:
    """Return the reader for a data set.

    Args:
        dataset: A name in `READERS`.
        path: The data set's folder, or the file for `jsonl` and `table`; `None` for a `table` of
            items alone.
        table: What is known of the columns; for `table` alone.

    Raises:
        InputError: There is no such data set, or files are missing.
    """
    if dataset not in READERS:
        remedy = f"Choose one of {', '.join(READERS)}."
        if Path(dataset).suffix or Path(dataset).name != dataset:
            likely = "table" if Path(dataset).suffix else "jsonl"
            remedy += f" It comes before the path: re2llm load {likely} {dataset}"
        raise InputError("dataset", f"{dataset!r} is not known.", remedy)
    if dataset == "table":
        return table_reader(path, table)
    if table is not None and table != TableOptions():
        remedy = "Leave out `items`, `by_user`, `events` and the columns, or load `table`."
        raise InputError("dataset", f"{dataset!r} has columns of its own.", remedy)
    if path is None:
        raise InputError("path", "It is missing.", "Name the data set's folder or file.")
    return READERS[dataset](path)
