"""The official HetRec2011-MovieLens folder (hetrec2011-movielens-2k, GroupLens 2011)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..records import AttributeValue, Item, Session
from .checks import check_known, check_new, check_rating, whole_number
from .day_sessions import Rating
from .folders import require_files, total_bytes
from .hetrec_facts import FORMAT, read_facts
from .malformed import ReadReport, RowError
from .rating_file import rated_days
from .tables import read_table
from .titles import clean_title

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

_UNKNOWN = frozenset({"", "0", r"\N"})
_MOVIES = (
    *("id", "title", "imdbID", "spanishTitle", "imdbPictureURL", "year", "rtID"),
    *("rtAllCriticsRating", "rtAllCriticsNumReviews", "rtAllCriticsNumFresh"),
    *("rtAllCriticsNumRotten", "rtAllCriticsScore", "rtTopCriticsRating"),
    *("rtTopCriticsNumReviews", "rtTopCriticsNumFresh", "rtTopCriticsNumRotten"),
    *("rtTopCriticsScore", "rtAudienceRating", "rtAudienceNumRatings", "rtAudienceScore"),
    "rtPictureURL",
)
_RATINGS = (
    *("userID", "movieID", "rating"),
    *("date_day", "date_month", "date_year", "date_hour", "date_minute", "date_second"),
)
_REQUIRED = ("movies.dat", "movie_genres.dat", "movie_directors.dat", "movie_countries.dat")


class HetRecReader:
    """Reads movies, and day sessions where `user_ratedmovies.dat` is there.

    Items carry `year`, `genres`, `director` and `actors` (lists of text; the first three billed,
    where `movie_actors.dat` is there), `country`, and `critics_score` and `audience_score`: the
    Rotten Tomatoes percentages, 1 to 100. What is unknown is left out; the files write unknown
    scores as 0. The number of audience ratings is left out on purpose: it is popularity.

    Attributes:
        item_bytes: Bytes that `items` reads.
        session_bytes: Bytes that `sessions` reads; 0 if the folder has no ratings.
    """

    def __init__(self, path: Path) -> None:
        self._folder = require_files(path, "HetRec2011", _REQUIRED)
        self._ratings = path / "user_ratedmovies.dat"
        names = (*_REQUIRED, "movie_actors.dat")
        self.item_bytes = total_bytes(path / name for name in names)
        self.session_bytes = total_bytes([self._ratings])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the movies in the order of `movies.dat`.

        Args:
            report: Gets the malformed rows of all the files.

        Raises:
            InputError: A file cannot be read or has other columns.
        """
        facts = read_facts(self._folder, report)
        seen: set[str] = set()
        path = self._folder / "movies.dat"
        for line, row in read_table(path, report, _MOVIES, FORMAT):
            try:
                item = _movie(dict(zip(_MOVIES, row, strict=True)), facts.get(row[0], {}))
                check_new(item.id, seen)
            except RowError as error:
                report.add(path, line, str(error))
            else:
                yield item

    def ratings(self, report: ReadReport, known: Container[str] | None = None) -> Iterator[Rating]:
        """Stream the ratings; their dates are read as UTC.

        Args:
            report: Gets the malformed rows.
            known: Item ids that ratings may name, or `None` for any.

        Raises:
            InputError: The file cannot be read or has other columns.
        """
        for line, row in read_table(self._ratings, report, _RATINGS, FORMAT):
            try:
                yield _rating(row, known)
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
        for dated in rated_days(self._ratings, FORMAT, self.ratings(report, known)):
            yield dated.session


def _movie(row: dict[str, str], facts: dict[str, AttributeValue]) -> Item:
    title = clean_title(row["title"])
    if not title:
        raise RowError("has no title")
    attributes: dict[str, AttributeValue] = {}
    if row["year"] not in _UNKNOWN:
        attributes["year"] = whole_number(row["year"], "year", 1800, 2200)
    attributes |= facts
    for name, column in (
        ("critics_score", "rtAllCriticsScore"),
        ("audience_score", "rtAudienceScore"),
    ):
        if row[column] not in _UNKNOWN:
            attributes[name] = whole_number(row[column], column, 0, 100)
    return Item(row["id"], title, attributes)


def _rating(row: list[str], known: Container[str] | None) -> Rating:
    user, item, rating, *date = row
    check_rating(rating)
    check_known(item, known)
    numbers = [
        whole_number(part, name, 0, 9999) for part, name in zip(date, _RATINGS[3:], strict=True)
    ]
    day, month, year, hour, minute, second = numbers
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise RowError(f"its date does not exist ({error})") from error
    return Rating(user, item, int(moment.timestamp()))
