"""A MovieLens folder of any age: its files say which layout it has."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..records import AttributeValue, Item, RatingScale, Session
from .day_sessions import Rating, rated_sessions
from .files import require_folder, total_bytes
from .malformed import ReadReport, RowError, check_known, parse_items, parse_rows
from .tables import TableFormat, first_columns, rating_value, read_table
from .times import timestamp
from .titles import article_first, clean_title, split_year

_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance"),
    *("Sci-Fi", "Thriller", "War", "Western"),
)
"""The flags at the end of each row of `u.item`, in order."""
_NO_GENRE = frozenset({"", "(no genres listed)", "unknown"})
_MOVIES = ("movieId", "title", "genres")
_RATINGS = ("userId", "movieId", "rating", "timestamp")
_LATIN = "iso-8859-1"
_WHOLE, _HALVES = RatingScale(1, 5), RatingScale(0.5, 5)
_USERS = "users.dat"
"""The ratings of ml-1m alone: ml-10m has half points."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a data set of MovieLens names and writes its files.

    Attributes:
        known_as: The data sets that are written so.
        movies: File of movies.
        ratings: File of ratings.
        movie_table: How `movies` is written.
        rating_table: How `ratings` is written.
        columns: The columns of `movies`.
        parts: Takes id, title and genres from a row of `movies`.
        scale: The ratings that can be given; `None` depends on the data set.
    """

    known_as: str
    movies: str
    ratings: str
    movie_table: TableFormat
    rating_table: TableFormat
    columns: Sequence[str]
    parts: Callable[[list[str]], tuple[str, str, list[str]]]
    scale: RatingScale | None


def _listed(row: list[str]) -> tuple[str, str, list[str]]:
    key, title, genres = row
    return key, title, genres.split("|")


def _flagged(row: list[str]) -> tuple[str, str, list[str]]:
    flags = zip(_GENRES, row[-len(_GENRES) :], strict=True)
    return row[0], row[1], [genre for genre, flag in flags if flag == "1"]


_CSV = TableFormat(",", quoted=True)
_COLONS = TableFormat("::", quoted=False, fallback=_LATIN)
_LAYOUTS = (
    _Layout(
        "ml-latest, ml-25m, ml-32m",
        "movies.csv",
        "ratings.csv",
        _CSV,
        _CSV,
        _MOVIES,
        _listed,
        _HALVES,
    ),
    _Layout("ml-1m, ml-10m", "movies.dat", "ratings.dat", _COLONS, _COLONS, _MOVIES, _listed, None),
    _Layout(
        "ml-100k",
        "u.item",
        "u.data",
        TableFormat("|", quoted=False, fallback=_LATIN),
        TableFormat("\t", quoted=False),
        ("movieId", "title", "release date", "video release date", "IMDb URL", *_GENRES),
        _flagged,
        _WHOLE,
    ),
)
_KAGGLE = replace(
    _LAYOUTS[0], known_as="ml-20m of Kaggle", movies="movie.csv", ratings="rating.csv"
)


class MovieLensReader:
    """Reads movies, and day sessions if there are ratings; see `CatalogueReader`.

    "Matrix, The (1999)" becomes the title "The Matrix" with the attribute `year` 1999; `genres` is
    a list of text. What is unknown is left out. `scale` are the ratings that can be given.
    """

    def __init__(self, path: Path) -> None:
        self._layout = _layout(path)
        self._movies = path / self._layout.movies
        self._ratings = path / self._layout.ratings
        self.item_bytes = total_bytes([self._movies])
        self.session_bytes = total_bytes([self._ratings])
        self.scale = self._layout.scale or (_WHOLE if (path / _USERS).is_file() else _HALVES)

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the movies in the order of the file."""
        layout = self._layout
        rows = read_table(self._movies, report, layout.columns, layout.movie_table)
        return parse_items(self._movies, report, rows, lambda row: (_movie(*layout.parts(row)), ()))

    def ratings(self, report: ReadReport, known: Container[str] | None = None) -> Iterator[Rating]:
        """Stream the ratings in the order of the file; `known` as in `sessions`."""
        for rating, _ in self.scores(report, known):
            yield rating

    def scores(
        self,
        report: ReadReport,
        known: Container[str] | None = None,
        check: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[Rating, float]]:
        """Stream the ratings with their values, such as 3.5; `known` as in `sessions`.

        Args:
            check: Raises `RowError` for a value that cannot be used.
        """

        def parse(row: list[str]) -> tuple[Rating, float]:
            user, item, rating, time = row
            value = rating_value(rating)
            if check is not None:
                check(value)
            check_known(item, known)
            return Rating(user, item, timestamp(time, "timestamp")), value

        rows = read_table(self._ratings, report, _RATINGS, self._layout.rating_table)
        for _, scored in parse_rows(self._ratings, report, rows, parse):
            yield scored

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the day sessions; none if the folder has no ratings."""
        if self._ratings.is_file():
            users = first_columns(self._ratings, self._layout.rating_table)
            yield from rated_sessions(self.ratings(report, known), users)


def _layout(folder: Path) -> _Layout:
    looked_for = ", or ".join(f"{one.movies} ({one.known_as})" for one in _LAYOUTS)
    remedy = (
        f"Give the unpacked folder of MovieLens; it must hold {looked_for}. "
        "Other tables of films are read by `re2llm load table RATINGS --items MOVIES`."
    )
    require_folder(folder, remedy)
    found = _found(folder)
    if found is not None:
        return found
    inner = [one for one in sorted(folder.iterdir()) if one.is_dir() and _found(one)]
    if inner:
        raise InputError(str(folder), "is the folder above the data set.", f"Give {inner[0]}.")
    raise InputError(
        str(folder),
        f"holds no files of MovieLens: {', '.join(one.movies for one in _LAYOUTS)} are missing.",
        remedy,
    )


def _found(folder: Path) -> _Layout | None:
    return next((one for one in (*_LAYOUTS, _KAGGLE) if _has(folder / one.movies, one)), None)


def _has(movies: Path, layout: _Layout) -> bool:
    if not movies.is_file():
        return False
    with movies.open("rb") as file:
        start = file.readline(1000)
    # HetRec2011 has a movies.dat too, with tabs.
    return not start or layout.movie_table.delimiter.encode() in start


def _movie(key: str, text: str, genres: list[str]) -> Item:
    name, year = split_year(clean_title(text))
    title = article_first(name)
    if not title:
        raise RowError("has no title")
    attributes: dict[str, AttributeValue] = {}
    if year is not None:
        attributes["year"] = year
    if listed := [genre.strip() for genre in genres if genre.strip() not in _NO_GENRE]:
        attributes["genres"] = listed
    return Item(key, title, attributes)
