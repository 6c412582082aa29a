"""The sample domain's catalogue: well-known films of a century, shipped with the package."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

from ...records import Item


@dataclass(frozen=True, slots=True)
class Film:
    """One film of the sample catalogue.

    Attributes:
        id: A readable slug, such as `alien-1979`.
        title: Its English title.
        year: When it was first shown.
        genres: Up to four, the most telling first.
        director: Everyone who directed it.
        country: The main countries of production.
        franchise: The series that it belongs to; empty if none.
        popularity: How widely known it is, from 1 to 5; a judgement that drives the simulator.
    """

    id: str
    title: str
    year: int
    genres: tuple[str, ...]
    director: tuple[str, ...]
    country: tuple[str, ...]
    franchise: str
    popularity: int

    @property
    def item(self) -> Item:
        """The film as a recommender sees it: without its franchise and its popularity."""
        facts = {
            "year": self.year,
            "genres": list(self.genres),
            "director": list(self.director),
            "country": list(self.country),
        }
        return Item(self.id, self.title, facts)


def load_films() -> list[Film]:
    """Return every film of the sample catalogue, oldest first."""
    text = files(__package__ or "").joinpath("films.csv").read_text(encoding="utf-8")
    return [_film(row) for row in csv.DictReader(text.splitlines())]


def sample_items() -> list[Item]:
    """Return the sample catalogue as items with year, genres, director and country."""
    return [film.item for film in load_films()]


def _film(row: dict[str, str]) -> Film:
    return Film(
        id=row["id"],
        title=row["title"],
        year=int(row["year"]),
        genres=tuple(row["genres"].split("|")),
        director=tuple(row["director"].split("|")),
        country=tuple(row["country"].split("|")),
        franchise=row["franchise"],
        popularity=int(row["popularity"]),
    )
