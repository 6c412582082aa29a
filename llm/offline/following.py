"""Follows a hint by its meaning: which features it means, and in which direction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .clauses import AGAINST, GENTLE, GENTLY, asks_gently, clauses
from .features import Feature
from .likeness import Encode, Scores, standardised
from .sentences import wanted

_SHARPNESS = 0.06  # softmax temperature over cosines
# Cosines at which a clause begins to count, and counts fully.
_COUNTS_FROM, _COUNTS_FULLY = 0.15, 0.40
_ABOUT = 0.5  # cosine from which a clause is about a value that it does not name
_THINGS = re.compile(r"\b(?:films?|movies?|products?|books?|games?|songs?)\b", re.IGNORECASE)
"""Words for what a catalogue holds. They fit all candidates, but are close to some genres'
names."""
_WORD = re.compile(r"\w+")


def follow(hint: str, features: Sequence[Feature], encode: Encode) -> Scores:
    """Return what a hint adds to each candidate's score.

    Each clause is compared with the features' phrases; a softmax over the cosines gives it
    weights, and a word of negation changes their sign.

    Args:
        features: At least one feature from `build_features`.

    Returns:
        Shape `[candidates]`: the clauses' standardised mixes, each at its strength, summed.
    """
    total = np.zeros(len(features[0].values))
    for clause in clauses(hint):
        total += clause_weights(clause, features, encode).mix
    return total


@dataclass(frozen=True, slots=True)
class ClauseWeights:
    """What the ranker takes a clause to mean.

    Attributes:
        clause: Its words.
        features: The features that it may concern.
        weights: Their weights, negative where low values are wanted; shape `[features]`.
        strength: From 0, not understood, to 1; less where the clause asks for little.
    """

    clause: str
    features: Sequence[Feature]
    weights: Scores
    strength: float

    @property
    def mix(self) -> Scores:
        """What the clause adds to each candidate's score, shape `[candidates]`."""
        values = np.stack([feature.values for feature in self.features])
        # Where the features that are meant tell no candidate from another, the little weight of
        # the others must not decide in their place.
        telling = np.abs(self.weights[values.any(axis=1)]).sum()
        share = min(1.0, 2 * telling / max(float(np.abs(self.weights).sum()), 1e-9))
        return self.strength * share * standardised(self.weights @ values)

    @property
    def heaviest(self) -> tuple[str, float]:
        """The feature that counts most, by name, with its weight."""
        place = int(np.argmax(np.abs(self.weights)))
        return self.features[place].name, self.strength * float(self.weights[place])


def clause_weights(clause: str, features: Sequence[Feature], encode: Encode) -> ClauseWeights:
    """Find out which features a clause means, and in which direction.

    Args:
        clause: A clause from `clauses`.
        features: At least one feature from `build_features`.
    """
    verbatim = _in_own_words(clause, features)
    if verbatim is not None:
        return verbatim
    negated = AGAINST.search(clause) is not None
    plain = _THINGS.sub("what", GENTLY.sub("", clause))
    said = encode([AGAINST.sub(" ", plain) if negated else plain])[0]
    # A value's own words, "the genre Comedy", would be close to every word about genres.
    phrases = [f.more[1:] if "=" in f.name else f.more for f in features]
    more = _closest(phrases, said, encode)
    less = _closest([feature.less for feature in features], said, encode)
    places = [
        place
        for place, feature in enumerate(features)
        if _concerns(clause, feature, float(more[place]))
    ]
    more, less = more[places], less[places]
    # Opposites lie close together in the embedding space, so their difference decides.
    direction = np.tanh((more - less) / _SHARPNESS)
    cosines = np.maximum(more, less)
    weights = np.exp((cosines - cosines.max()) / _SHARPNESS)
    weights = (-direction if negated else direction) * weights / weights.sum()
    strength = np.clip((cosines.max() - _COUNTS_FROM) / (_COUNTS_FULLY - _COUNTS_FROM), 0.0, 1.0)
    if asks_gently(clause):
        strength *= GENTLE
    return ClauseWeights(clause, [features[place] for place in places], weights, float(strength))


def _in_own_words(clause: str, features: Sequence[Feature]) -> ClauseWeights | None:
    """Read a clause that asks for something in the exact words of one feature."""
    asked = wanted(clause)
    if asked is None:
        return None
    signs = np.zeros(len(features))
    for place, feature in enumerate(features):
        for sign, phrases in ((1.0, feature.more), (-1.0, feature.less)):
            if asked.phrase in map(str.lower, phrases):
                signs[place] = sign
    if np.count_nonzero(signs) != 1:
        return None
    return ClauseWeights(clause, features, signs, GENTLE if asked.gently else 1.0)


def _closest(phrases: Sequence[Sequence[str]], said: NDArray[np.float32], encode: Encode) -> Scores:
    """Return, for each feature's phrases, the cosine of the closest; -1 where it has none."""
    owners = [place for place, some in enumerate(phrases) for _ in some]
    closest = np.full(len(phrases), -1.0)
    if owners:
        cosines = encode([phrase for some in phrases for phrase in some]) @ said
        np.maximum.at(closest, owners, cosines)
    return closest


def _concerns(clause: str, feature: Feature, closeness: float) -> bool:
    """Leave out a single value (one genre, one director) unless the clause is about it."""
    if "=" not in feature.name:
        return True
    attribute, _, value = feature.name.lower().partition("=")
    named = _stems(clause.lower())
    if _stems(value) <= named:
        return True
    # "Films by the directors of the history" is about directors, and so not far from any of them.
    return closeness > _ABOUT and _stem(attribute) not in named


@lru_cache(maxsize=20_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset(map(_stem, _WORD.findall(text)))


def _stem(word: str) -> str:
    for ending in ("ies", "y", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word
