"""Ratings without texts, from a folder of MovieLens."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ..data.malformed import ReadReport
from ..data.movielens import MovieLensReader
from ..errors import InputError
from ..records import Review
from .reviews import ReviewHistory, checked_rating, once_each


def read_rated_films(folder: Path, report: ReadReport) -> list[ReviewHistory]:
    """Read the ratings of every user as reviews with an empty text.

    Args:
        folder: Unpacked, with movies and ratings in any layout that `MovieLensReader` knows.
        report: Gets the malformed rows; a rating of an unknown movie is one, and one below 0.

    Returns:
        Histories in the order in which their users first appear, oldest rating first. Ratings of
        the same second keep the order of the file.

    Raises:
        InputError: The folder holds no ratings, or a file cannot be used.
    """
    reader = MovieLensReader(folder)
    if not reader.session_bytes:
        raise InputError(
            str(folder), "holds no ratings.", "Give the folder as MovieLens publishes it."
        )
    films = {film.id: film for film in reader.items(report)}
    by_user: defaultdict[str, list[Review]] = defaultdict(list)
    for rating, value in reader.scores(report, films, checked_rating):
        film, time = films[rating.item], float(rating.timestamp)
        by_user[rating.user].append(Review(rating.user, film, value, time=time))
    return [
        ReviewHistory(
            user, once_each(sorted(reviews, key=lambda review: review.time), folder, report)
        )
        for user, reviews in by_user.items()
    ]
