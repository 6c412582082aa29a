"""Simulated reviewers of made-up products.

A person has a mood, a taste for each aspect that a product may have (its price, its story …) and
a favourite kind of product. The rating is

    3.6 + mood + quality + tastes for the strengths - tastes for the weaknesses + favourite + noise

rounded and clipped to 1-5. The text praises the strength or blames the weakness that counted most,
so that the tastes can be learned from it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...records import Item, Review
from ..reviews import ReviewHistory

if TYPE_CHECKING:
    from numpy.random import Generator

SHORTEST, LONGEST = 5, 9
"""The fewest and the most reviews that one person writes."""

_MIDDLE = 3.6
_MOOD, _TASTE, _FAVOURITE, _NOISE = 0.9, 0.45, 0.5, 0.3
_PRAISE = ("I love {}.", "What I like most is {}.", "{} won me over.", "Worth it for {}.")
_BLAME = ("Sadly, {} spoils it.", "I cannot get over {}.", "{} let me down.", "Mind {}.")
_VERDICTS = ("Awful", "Not for me", "It is all right", "Good", "Wonderful")


@dataclass(frozen=True, slots=True)
class Product:
    """One made-up product.

    Its quality, in points of the rating, is the same for all people. Strengths and weaknesses are
    aspects, each with the words for it.
    """

    id: str
    title: str
    kind: str
    quality: float
    strengths: tuple[tuple[str, str], ...]
    weaknesses: tuple[tuple[str, str], ...]

    @property
    def item(self) -> Item:
        """The product as a recommender sees it, without the hidden quality and aspects."""
        return Item(self.id, self.title, {"kind": self.kind})


def load_products() -> list[Product]:
    """Return every product of the corpus."""
    text = files(__package__ or "").joinpath("products.csv").read_text("utf-8")
    return [
        Product(
            row["id"],
            row["title"],
            row["kind"],
            float(row["quality"]),
            _aspects(row["strengths"]),
            _aspects(row["weaknesses"]),
        )
        for row in csv.DictReader(text.splitlines())
    ]


def simulate_reviews(people: int = 240, *, seed: int = 0) -> list[ReviewHistory]:
    """Simulate reviews of the products; the same seed gives the same reviews.

    Args:
        people: How many people write reviews, at least 1.

    Returns:
        A history of 5 to 9 reviews for each person, ratings from 1 to 5.

    Raises:
        InputError: `people` is below 1.
    """
    if people < 1:
        raise InputError("people", f"is {people}.", "Ask for at least 1.")
    products = load_products()
    # Each person has a separate stream, so asking for more people does not change the first ones.
    streams = np.random.SeedSequence(seed).spawn(people)
    return [
        _history(f"person-{number}", products, np.random.default_rng(stream))
        for number, stream in enumerate(streams, start=1)
    ]


def _history(user: str, products: list[Product], rng: Generator) -> ReviewHistory:
    mood = rng.normal(0, _MOOD)
    aspects = sorted({name for p in products for name, _ in (*p.strengths, *p.weaknesses)})
    tastes = dict(zip(aspects, rng.gamma(1.0, _TASTE, len(aspects)).tolist(), strict=True))
    kinds = sorted({product.kind for product in products})
    favourite = kinds[int(rng.integers(len(kinds)))]
    picks: list[int] = rng.choice(
        len(products), size=int(rng.integers(SHORTEST, LONGEST + 1)), replace=False
    ).tolist()
    return ReviewHistory(
        user,
        tuple(
            _review(user, products[pick], mood, tastes, favourite, float(time), rng)
            for time, pick in enumerate(picks)
        ),
    )


def _review(
    user: str,
    product: Product,
    mood: float,
    tastes: dict[str, float],
    favourite: str,
    time: float,
    rng: Generator,
) -> Review:
    gained = [(tastes[name], words) for name, words in product.strengths]
    lost = [(tastes[name], words) for name, words in product.weaknesses]
    felt = _MIDDLE + mood + product.quality + _FAVOURITE * (product.kind == favourite)
    felt += sum(gain for gain, _ in gained) - sum(loss for loss, _ in lost)
    rating = int(np.clip(round(felt + rng.normal(0, _NOISE)), 1, 5))
    pleased = rating > _MIDDLE
    words = max(gained if pleased else lost)[1]
    templates = _PRAISE if pleased else _BLAME
    sentence = templates[int(rng.integers(len(templates)))].format(words)
    text = f"{_VERDICTS[rating - 1]}. {sentence[0].upper()}{sentence[1:]}"
    return Review(user, product.item, float(rating), text, time)


def _aspects(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [entry.partition(":") for entry in text.split("|")]
    return tuple((name, words) for name, _, words in pairs)
