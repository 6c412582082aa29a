"""A MovieLens folder with `movies.csv` and `ratings.csv` (ml-latest-small, ml-25m, ml-32m)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from ..records import AttributeValue, Item, Session
from .day_sessions import Rating, rated_sessions
from .files import require_files, total_bytes
from .malformed import ReadReport, RowError, check_known, parse_items, parse_rows
from .tables import LATEST_TIMESTAMP, TableFormat, check_rating, read_table, whole_number
from .titles import article_first, clean_title, split_year

_FORMAT = TableFormat(",", quoted=True)
_MOVIES = ("movieId", "title", "genres")
_RATINGS = ("userId", "movieId", "rating", "timestamp")


class MovieLensReader:
    """Reads movies, and day sessions if `ratings.csv` is there; see `CatalogueReader`.

    "Matrix, The (1999)" becomes the title "The Matrix" with the attribute `year` 1999; `genres` is
    a list of text. What is unknown is left out.
    """

    def __init__(self, path: Path) -> None:
        self._movies = require_files(path, "MovieLens", ("movies.csv",)) / "movies.csv"
        self._ratings = path / "ratings.csv"
        self.item_bytes = total_bytes([self._movies])
        self.session_bytes = total_bytes([self._ratings])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the movies in the order of the file."""
        rows = read_table(self._movies, report, _MOVIES, _FORMAT)
        return parse_items(self._movies, report, rows, _movie)

    def ratings(self, report: ReadReport, known: Container[str] | None = None) -> Iterator[Rating]:
        """Stream the ratings in the order of the file; `known` as in `sessions`."""

        def parse(row: list[str]) -> Rating:
            user, item, rating, time = row
            check_rating(rating)
            check_known(item, known)
            return Rating(user, item, whole_number(time, "timestamp", 0, LATEST_TIMESTAMP))

        rows = read_table(self._ratings, report, _RATINGS, _FORMAT)
        for _, rating in parse_rows(self._ratings, report, rows, parse):
            yield rating

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the day sessions; none if the folder has no ratings."""
        if self._ratings.is_file():
            yield from rated_sessions(self._ratings, _FORMAT, self.ratings(report, known))


def _movie(row: list[str]) -> Item:
    key, text, genres = row
    name, year = split_year(clean_title(text))
    title = article_first(name)
    if not title:
        raise RowError("has no title")
    attributes: dict[str, AttributeValue] = {}
    if year is not None:
        attributes["year"] = year
    if genres and genres != "(no genres listed)":
        attributes["genres"] = [genre.strip() for genre in genres.split("|") if genre.strip()]
    return Item(key, title, attributes)
