"""Ratings without texts, from a folder of MovieLens."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from ..data.malformed import ReadReport
from ..data.movielens import MovieLensReader
from ..errors import InputError
from ..records import RatingScale, Review
from .review_rows import checked_rating
from .reviews import ReviewHistory, once_each


def read_rated_films(
    folder: Path, report: ReadReport, scale: RatingScale | None = None
) -> list[ReviewHistory]:
    """Read the ratings of every user as reviews with an empty text.

    Args:
        folder: Unpacked, with movies and ratings in any layout that `MovieLensReader` knows.
        report: Gets the malformed rows; a rating of an unknown movie is one, and one off the scale.
        scale: The ratings that can be given; `None` takes those of the data set.

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
    check = partial(checked_rating, scale=scale or reader.scale)
    for rating, value in reader.scores(report, films, check):
        film, time = films[rating.item], float(rating.timestamp)
        by_user[rating.user].append(Review(rating.user, film, value, time=time))
    return [
        ReviewHistory(
            user, once_each(sorted(reviews, key=lambda review: review.time), folder, report)
        )
        for user, reviews in by_user.items()
    ]
