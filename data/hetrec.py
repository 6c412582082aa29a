"""The official HetRec2011-MovieLens folder (hetrec2011-movielens-2k, GroupLens 2011)."""

from __future__ import annotations

import re
from bisect import insort
from collections import defaultdict
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..records import AttributeValue, Item, Session
from .day_sessions import Rating, rated_sessions
from .files import require_files, total_bytes
from .malformed import ReadReport, RowError, check_known, parse_items, parse_rows
from .tables import TableFormat, check_rating, first_columns, read_table, whole_number
from .titles import clean_title

FIRST_BILLED = 3
"""How many actors of a movie are kept."""

# ISO-8859-1 officially, though movie_directors.dat is UTF-8; nothing is quoted.
_FORMAT = TableFormat("\t", quoted=False, fallback="iso-8859-1")
_MOST_LOST_LETTERS = 4
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
_ACTORS = "movie_actors.dat"


class HetRecReader:
    """Reads movies, and day sessions if `user_ratedmovies.dat` is there; see `CatalogueReader`.

    Items carry `year`, `genres`, `director` and `actors` (lists of text; the first three billed,
    if `movie_actors.dat` is there), `country`, and `critics_score` and `audience_score`: the
    Rotten Tomatoes percentages, 1 to 100. What is unknown is left out; the files write unknown
    scores as 0. The number of audience ratings is left out on purpose: it is popularity.
    """

    def __init__(self, path: Path) -> None:
        self._folder = require_files(path, "HetRec2011", _REQUIRED)
        self._ratings = path / "user_ratedmovies.dat"
        self.item_bytes = total_bytes(path / name for name in (*_REQUIRED, _ACTORS))
        self.session_bytes = total_bytes([self._ratings])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the movies in the order of `movies.dat`."""
        facts = _read_facts(self._folder, report)
        path = self._folder / "movies.dat"
        rows = read_table(path, report, _MOVIES, _FORMAT)
        yield from parse_items(
            path, report, rows, lambda row: (_movie(row, facts.get(row[0], {})), ())
        )

    def ratings(self, report: ReadReport, known: Container[str] | None = None) -> Iterator[Rating]:
        """Stream the ratings; their dates are read as UTC; `known` as in `sessions`."""
        rows = read_table(self._ratings, report, _RATINGS, _FORMAT)
        for _, rating in parse_rows(self._ratings, report, rows, lambda row: _rating(row, known)):
            yield rating

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the day sessions; none if the folder has no ratings."""
        if self._ratings.is_file():
            users = first_columns(self._ratings, _FORMAT)
            yield from rated_sessions(self.ratings(report, known), users)


def _movie(columns: list[str], facts: dict[str, AttributeValue]) -> Item:
    row = dict(zip(_MOVIES, columns, strict=True))
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
    day, month, year, hour, minute, second = (
        whole_number(part, name, 0, 9999) for part, name in zip(date, _RATINGS[3:], strict=True)
    )
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise RowError(f"its date does not exist ({error})") from error
    return Rating(user, item, moment.timestamp())


def _read_facts(folder: Path, report: ReadReport) -> dict[str, dict[str, AttributeValue]]:
    """Return each movie's genres, directors, countries and actors, as far as they are known."""
    facts: defaultdict[str, dict[str, AttributeValue]] = defaultdict(dict)
    for file, header, attribute in (
        ("movie_genres.dat", ("movieID", "genre"), "genres"),
        ("movie_directors.dat", ("movieID", "directorID", "directorName"), "director"),
        ("movie_countries.dat", ("movieID", "country"), "country"),
    ):
        for movie, names in _lists(folder / file, header, report).items():
            facts[movie][attribute] = ", ".join(names) if attribute == "country" else names
    for movie, names in _actors(folder / _ACTORS, report).items():
        facts[movie]["actors"] = names
    return facts


def _lists(path: Path, header: tuple[str, ...], report: ReadReport) -> dict[str, list[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for _, row in read_table(path, report, header, _FORMAT):
        name = clean_title(row[-1])
        if "\ufffd" in name:
            name = _restored(name, row[1])
        if name and name not in values[row[0]]:
            values[row[0]].append(name)
    return {movie: names for movie, names in values.items() if names}


def _actors(path: Path, report: ReadReport) -> dict[str, list[str]]:
    cast: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    if not path.is_file():
        return {}
    rows = read_table(path, report, ("movieID", "actorID", "actorName", "ranking"), _FORMAT)
    for _, (movie, billing, name) in parse_rows(
        path, report, rows, lambda row: (row[0], whole_number(row[3], "ranking", 0, 10**6), row[2])
    ):
        insort(cast[movie], (billing, clean_title(name)))
        del cast[movie][FIRST_BILLED:]
    return {movie: [name for _, name in billed] for movie, billed in cast.items()}


def _restored(name: str, key: str) -> str:
    """Replace letters that were lost in a name by those of its id: `Luis Bu?uel`, `luis_bunuel`."""
    if name.count("\ufffd") > _MOST_LOST_LETTERS:
        return name
    letters = re.sub(r"[^\w\ufffd]+", "[_-]+", name).replace("\ufffd", "([a-z]{1,2})")
    found = re.fullmatch(letters, key, re.IGNORECASE)
    if found is None:
        return name
    for letter in found.groups():
        before, _, after = name.partition("\ufffd")
        starts = not before or not before[-1].isalpha()
        name = before + (letter.title() if starts else letter) + after
    return name
