"""A MovieLens folder with `movies.csv` and `ratings.csv` (ml-latest-small, ml-25m, ml-32m)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records import AttributeValue, Item, Session
from .checks import LATEST_TIMESTAMP, check_known, check_new, check_rating, whole_number
from .day_sessions import Rating
from .folders import require_files, total_bytes
from .malformed import ReadReport, RowError
from .rating_file import rated_days
from .tables import TableFormat, read_table
from .titles import article_first, clean_title, split_year

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

_FORMAT = TableFormat(",", quoted=True)
_MOVIES = ("movieId", "title", "genres")
_RATINGS = ("userId", "movieId", "rating", "timestamp")


class MovieLensReader:
    """Reads movies, and day sessions where `ratings.csv` is there.

    "Matrix, The (1999)" becomes the title "The Matrix" with the attribute `year` 1999; `genres` is
    a list of text. What is unknown is left out.

    Attributes:
        item_bytes: Bytes that `items` reads.
        session_bytes: Bytes that `sessions` reads; 0 if the folder has no ratings.
    """

    def __init__(self, path: Path) -> None:
        self._movies = require_files(path, "MovieLens", ("movies.csv",)) / "movies.csv"
        self._ratings = path / "ratings.csv"
        self.item_bytes = total_bytes([self._movies])
        self.session_bytes = total_bytes([self._ratings])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the movies in the order of the file.

        Args:
            report: Gets the malformed rows.

        Raises:
            InputError: The file cannot be read or has other columns.
        """
        seen: set[str] = set()
        for line, row in read_table(self._movies, report, _MOVIES, _FORMAT):
            try:
                item = _movie(*row)
                check_new(item.id, seen)
            except RowError as error:
                report.add(self._movies, line, str(error))
            else:
                yield item

    def ratings(self, report: ReadReport, known: Container[str] | None = None) -> Iterator[Rating]:
        """Stream the ratings in the order of the file.

        Args:
            report: Gets the malformed rows.
            known: Item ids that ratings may name, or `None` for any.

        Raises:
            InputError: The file cannot be read or has other columns.
        """
        for line, (user, item, rating, time) in read_table(
            self._ratings, report, _RATINGS, _FORMAT
        ):
            try:
                check_rating(rating)
                check_known(item, known)
                yield Rating(user, item, whole_number(time, "timestamp", 0, LATEST_TIMESTAMP))
            except RowError as error:
                report.add(self._ratings, line, str(error))

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the day sessions; none if the folder has no ratings.

        Args:
            report: Gets the malformed rows.
            known: Item ids that ratings may name, or `None` for any.

        Raises:
            InputError: The file cannot be read or has other columns.
        """
        if not self._ratings.is_file():
            return
        for dated in rated_days(self._ratings, _FORMAT, self.ratings(report, known)):
            yield dated.session


def _movie(key: str, text: str, genres: str) -> Item:
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
