"""The sample films as numbers, for the simulated viewers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, standardised
from .catalogue import Film

_YEARS_APART = 8.0
"""Two films this many years apart are 1/e as close as two of one year."""

_FIRST_PART = 0.3
_OUT_OF_TURN = -0.3
"""How a franchise's opening and its later parts draw a viewer, where 1 is the part that is due."""


@dataclass(frozen=True, slots=True)
class FilmFeatures:
    """Arrays with one row for each film; square ones compare every film with every other.

    Attributes:
        genres: Membership in each genre, scaled to unit length for each film.
        directors: Membership in each director's work, scaled likewise.
        countries: Membership in each country, scaled likewise.
        era: The year in standard deviations from the mean.
        popularity: Popularity in standard deviations from the mean.
        genre_overlap: Genres in common over genres in either.
        same_director: 1 where two films share a director.
        place_and_time: Half for a country in common, half for years close to each other.
        following: The index of the next film in the franchise, -1 where there is none.
        franchise_entry: The draw of a franchise's first film, and of later ones out of turn.
    """

    genres: Floats
    directors: Floats
    countries: Floats
    era: Floats
    popularity: Floats
    genre_overlap: Floats
    same_director: Floats
    place_and_time: Floats
    following: NDArray[np.int64]
    franchise_entry: Floats


def film_features(films: Sequence[Film]) -> FilmFeatures:
    """Turn films into arrays; they must be in release order, for the parts of a franchise."""
    genres = _membership([film.genres for film in films])
    directors = _membership([film.director for film in films])
    countries = _membership([film.country for film in films])
    years = np.array([float(film.year) for film in films])
    popularity = np.array([float(film.popularity) for film in films])
    common = genres @ genres.T
    sizes = genres.sum(axis=1)
    near = np.exp(-np.abs(years[:, None] - years[None, :]) / _YEARS_APART)
    following, entry = _franchises(films)
    return FilmFeatures(
        genres=_unit_rows(genres),
        directors=_unit_rows(directors),
        countries=_unit_rows(countries),
        era=standardised(years),
        popularity=standardised(popularity),
        genre_overlap=common / (sizes[:, None] + sizes[None, :] - common),
        same_director=np.minimum(directors @ directors.T, 1.0),
        place_and_time=(np.minimum(countries @ countries.T, 1.0) + near) / 2,
        following=following,
        franchise_entry=entry,
    )


def _membership(labels: Sequence[Sequence[str]]) -> Floats:
    names = sorted({label for row in labels for label in row})
    return np.array([[float(name in row) for name in names] for row in labels])


def _unit_rows(matrix: Floats) -> Floats:
    return matrix / np.sqrt((matrix**2).sum(axis=1, keepdims=True))


def _franchises(films: Sequence[Film]) -> tuple[NDArray[np.int64], Floats]:
    following = np.full(len(films), -1, dtype=np.int64)
    entry = np.zeros(len(films))
    latest: dict[str, int] = {}
    for index, film in enumerate(films):
        if not film.franchise:
            continue
        before = latest.get(film.franchise)
        entry[index] = _FIRST_PART if before is None else _OUT_OF_TURN
        if before is not None:
            following[before] = index
        latest[film.franchise] = index
    return following, entry
