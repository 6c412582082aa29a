"""A catalogue where 20 hints help, and junk to hide them in: what `hints tidy` is measured with.

Products have 12 qualities. What people choose is better than the rest in each of them, in some by a
high number and in some by a low one, so a hint to look at two of them helps. No product has a
sequel, so a hint to prefer sequels does nothing. (Sentences such as "Take your time" will not do:
the offline model reads something into any words that it is not sure of, and gains or loses by it.)
Nothing here knows how a store is tidied: junk is put together from parts, at random.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from re2llm.records import Item, Session

HIGH = ("durability", "comfort", "brightness", "battery life", "fuel economy", "protein", "age")
HIGH += ("camera resolution",)
LOW = ("price", "noise", "delivery time", "heat")
QUALITIES = (*HIGH, *LOW)
"""As many as a prompt shows."""
_GOOD = 20
_CANDIDATES, _HISTORY = 12, 4
_SHIFT, _PAST_SHIFT, _SPREAD = 1.2, 0.5, 15.0
"""By how many standard deviations the chosen product and earlier ones are better than the rest, and
how large one of them is."""

_REPHRASED = (
    "Favor products with a {way} {quality}.",
    "Put products with a {way} {quality} first.",
    "Give more weight to a {way} {quality}.",
    "Rank a product higher if it has a {way} {quality}.",
    "Look for a {way} {quality}.",
    "Please prefer a {way} {quality}.",
    "Choose what has a {way} {quality}.",
    "Lean towards a {way} {quality}.",
    "A {way} {quality} should count more.",
    "Above all, prefer a {way} {quality}.",
    "Strongly prefer a {way} {quality}.",
    "Trust a {way} {quality}.",
    "Always prefer a {way} {quality}.",
    "In doubt, prefer a {way} {quality}.",
    "It is best to prefer a {way} {quality}.",
    "Pick products that have a {way} {quality}.",
    "Products with a {way} {quality} come first.",
)
_HARMFUL = (
    "Prefer a {other} {quality}.",
    "Avoid a {way} {quality}.",
    "Never choose a {way} {quality}.",
    "Favor products with a {other} {quality}.",
    "Give more weight to a {other} {quality}.",
    "Put products with a {other} {quality} first.",
    "Do not prefer a {way} {quality}.",
    "Rank a product lower if it has a {way} {quality}.",
    "Look for a {other} {quality}.",
    "Please avoid a {way} {quality}.",
    "Choose what has a {other} {quality}.",
    "Strongly prefer a {other} {quality}.",
    "Products with a {other} {quality} come first.",
)
_IDLE = (
    *("Prefer {what}.", "Slightly prefer {what}.", "Trust {what}.", "Slightly trust {what}."),
    *("Lean towards {what}.", "Lean slightly towards {what}.", "Give weight to {what}."),
    *("Give more weight to {what}.", "Give slight weight to {what}."),
)
_SERIES = (
    "sequels and other parts of the same series",
    "sequels, prequels and other parts of the same series or franchise",
)


@dataclass(frozen=True)
class Planted:
    """Hints to store, in random order.

    Attributes:
        texts: All of them.
        kinds: Of each: `good`, `repeat`, `idle` or `harmful`.
    """

    texts: Sequence[str]
    kinds: Sequence[str]


def catalogue(seed: int, sessions: int) -> tuple[list[Item], list[Session]]:
    """Return products, and what people chose among some."""
    rng = random.Random(seed)
    items: list[Item] = []

    def product(shift: float) -> str:
        number = len(items) + 1
        values = {
            quality: round(50 + _SPREAD * rng.gauss(shift if quality in HIGH else -shift, 1))
            for quality in QUALITIES
        }
        items.append(Item(f"p{number}", f"Product {number}", values))
        return items[-1].id

    plain = [product(0.0) for _ in range(300)]
    made: list[Session] = []
    for _ in range(sessions):
        past = [product(_PAST_SHIFT) for _ in range(_HISTORY)]
        target = product(_SHIFT)
        candidates = [*rng.sample(plain, _CANDIDATES - 1), target]
        rng.shuffle(candidates)
        made.append(Session(tuple(past), target, tuple(candidates)))
    rng.shuffle(items)  # their order would give away what belongs to one session
    return items, made


def good_pairs(seed: int) -> list[tuple[str, str]]:
    """Return pairs of qualities, each of which a hint asks for."""
    every = list(itertools.combinations(QUALITIES, 2))
    return random.Random(f"good {seed}").sample(every, _GOOD)


def planted(seed: int, junk: int) -> Planted:
    """Return the good hints with junk among them.

    Args:
        junk: How many; two fifths repeat good ones in other words, and of the others half are
            harmful and half do nothing.
    """
    rng = random.Random(f"junk {seed}")
    pairs = good_pairs(seed)
    good = [f"Prefer a {_way(one)} {one}; prefer a {_way(two)} {two}." for one, two in pairs]
    repeats = _drawn(_REPHRASED, pairs, rng, 2 * junk // 5)
    harmful = _drawn(_HARMFUL, pairs, rng, (junk - len(repeats)) // 2)
    about = [{"what": what} for what in _SERIES]
    idle = _joined(_IDLE, about, rng, junk - len(repeats) - len(harmful))
    kinds = {"good": good, "repeat": repeats, "harmful": harmful, "idle": idle}
    every = [(text, kind) for kind, texts in kinds.items() for text in texts]
    rng.shuffle(every)
    return Planted([text for text, _ in every], [kind for _, kind in every])


def _drawn(
    templates: Sequence[str], pairs: Sequence[tuple[str, str]], rng: random.Random, count: int
) -> list[str]:
    """Say something of both qualities of a pair, each in words of its own."""
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        both = [_words(quality) for quality in rng.choice(pairs)]
        drawn[" ".join(rng.choice(templates).format(**words) for words in both)] = None
    return list(drawn)


def _joined(
    templates: Sequence[str], words: Sequence[dict[str, str]], rng: random.Random, count: int
) -> list[str]:
    sentences = [template.format(**each) for template in templates for each in words]
    every = [" ".join(two) for two in itertools.permutations(sentences, 2)]
    return rng.sample(every, count)


def _words(quality: str) -> dict[str, str]:
    other = "low" if quality in HIGH else "high"
    return {"way": _way(quality), "other": other, "quality": quality}


def _way(quality: str) -> str:
    return "high" if quality in HIGH else "low"
