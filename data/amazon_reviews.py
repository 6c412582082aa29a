"""Amazon Reviews 2023 as published: `meta_CATEGORY.jsonl.gz` and `CATEGORY.jsonl.gz` in a folder.

See https://amazon-reviews-2023.github.io (Hou et al. 2024). The ratings alone, `CATEGORY.csv`, make
the same sessions as the reviews.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..records import Item, Session
from .attributes import read_attributes
from .day_sessions import Rating, rated_sessions
from .files import total_bytes
from .json_rows import as_id, as_object, read_json_lines
from .malformed import ReadReport, RowError, check_known, parse_items, parse_rows, shown
from .table_rows import Row, read_rows
from .times import timestamp
from .titles import clean_title

_META = "meta_"
_META_ENDS = (".jsonl", ".jsonl.gz")
_REVIEW_ENDS = (*_META_ENDS, ".csv", ".csv.gz")
_RATED = ("user_id", "parent_asin", "timestamp")
_META_FOLDER, _REVIEW_FOLDER = "meta_categories", "review_categories"
"""How the data set's own repository sorts the files."""
# How often and how well an item was rated counts test interactions, too; pictures say nothing.
_LEFT_OUT = frozenset(
    {
        *("parent_asin", "title", "average_rating", "rating_number", "bought_together"),
        *("images", "videos", "description"),
    }
)
_OLDER = "releases before 2023 are read by `re2llm load table REVIEWS --items META`"
_RANKS = frozenset({"Best Sellers Rank", "Customer Reviews"})


class AmazonReviewsReader:
    """Reads the products of all categories in a folder, and day sessions from their reviews.

    Of a product, `details` are flattened to attributes such as `details.Brand`. Its description,
    pictures, and number and mean of ratings are left out. See `CatalogueReader` for the methods.

    Args:
        path: The folder, or one `meta_` file for its category alone.
    """

    def __init__(self, path: Path) -> None:
        self._meta = meta_files(path)
        if not self._meta:
            raise InputError(
                str(path),
                "holds no metadata of Amazon Reviews 2023: meta_CATEGORY.jsonl.gz is missing.",
                "Give the folder with meta_CATEGORY.jsonl.gz, and CATEGORY.jsonl.gz or "
                "CATEGORY.csv for sessions; or a folder of games with id2title.json; "
                f"{_OLDER}.",
            )
        found = [_reviews_of(file) for file in self._meta]
        self._reviews = [file for file in found if file is not None]
        self.item_bytes = total_bytes(self._meta)
        self.session_bytes = total_bytes(self._reviews)

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the products; one that is in two categories counts in the first."""
        seen: set[str] | None = set() if len(self._meta) > 1 else None
        for file in self._meta:
            for item in products(file, report):
                if seen is None:
                    yield item
                elif item.id not in seen:
                    seen.add(item.id)
                    yield item

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the day sessions; none if there are no reviews."""
        if self._reviews:
            yield from rated_sessions(self._ratings(report, known))

    def _ratings(self, report: ReadReport, known: Container[str] | None) -> Iterator[Rating]:
        def parse(row: Row) -> Rating:
            item = as_id(row.get("parent_asin"), "parent_asin")
            check_known(item, known)
            user = as_id(row.get("user_id"), "user_id")
            return Rating(user, item, timestamp(row.get("timestamp"), "timestamp"))

        for file in self._reviews:
            rows = read_rows(file, report, _RATED)
            for _, rating in parse_rows(file, report, rows, parse):
                yield rating


def meta_files(path: Path) -> list[Path]:
    """Return the files of metadata that a path means: itself, or those in the folder."""
    if path.is_file():
        return [path] if path.name.startswith(_META) else []
    folders = (path, path / _META_FOLDER, path / "raw" / _META_FOLDER)
    return [
        file
        for folder in folders
        for file in sorted(folder.glob(f"{_META}*"))
        if file.name.endswith(_META_ENDS) and file.is_file()
    ]


def meta_of(reviews: Path) -> Path | None:
    """Return the metadata beside a file of reviews, if it is there."""
    category = reviews.name.removesuffix(".gz").removesuffix(".jsonl")
    folders = (reviews.parent, reviews.parent.parent / _META_FOLDER)
    return _first(folders, f"{_META}{category}", _META_ENDS)


def products(file: Path, report: ReadReport) -> Iterator[Item]:
    """Stream the products of a file of metadata; one without a title is called untitled."""

    def parse(row: object) -> tuple[Item, list[str]]:
        item, dropped = _product(row)
        if not item.title:
            report.warn_once(file, None, "no title: listed as untitled")
            item = replace(item, title=f"Untitled item {item.id}")
        return item, dropped

    return parse_items(file, report, read_json_lines(file, report), parse)


def _product(value: object) -> tuple[Item, list[str]]:
    row = as_object(value)
    if row is not None and "parent_asin" not in row and "asin" in row:
        raise RowError(f"has no parent_asin: {_OLDER}")
    if row is None or "parent_asin" not in row:
        raise RowError(f"{shown(value)} is not an object with parent_asin")
    # "None" is how the files write a price that is not known.
    facts = {name: fact for name, fact in row.items() if name not in _LEFT_OUT and fact != "None"}
    details = as_object(facts.get("details"))
    if details is not None:
        facts["details"] = {name: fact for name, fact in details.items() if name not in _RANKS}
    author = as_object(facts.get("author"))
    if author is not None:
        facts["author"] = author.get("name")
    attributes, dropped = read_attributes(facts)
    title = row.get("title")
    named = clean_title(title) if isinstance(title, str) else ""
    return Item(as_id(row["parent_asin"], "parent_asin"), named, attributes), dropped


def _reviews_of(meta: Path) -> Path | None:
    category = meta.name.removeprefix(_META).removesuffix(".gz").removesuffix(".jsonl")
    folders = (meta.parent, meta.parent.parent / _REVIEW_FOLDER)
    return _first(folders, category, _REVIEW_ENDS)


def _first(folders: tuple[Path, ...], stem: str, ends: tuple[str, ...]) -> Path | None:
    files = (folder / f"{stem}{end}" for folder in folders for end in ends)
    return next((file for file in files if file.is_file()), None)
