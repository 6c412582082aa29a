"""Reflects without an LLM: compares the chosen item's features with those of its own picks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.messages import BaseMessage
from numpy.typing import NDArray

from ..text.json_values import is_object
from .clauses import AGAINST, GENTLE, asks_gently, clauses
from .document import RankingDocument
from .features import Feature, build_features
from .likeness import Encode, Scores
from .reading import json_objects
from .scoring import HINT_WEIGHT, base_score
from .sentences import advice, wanted

_WORD = re.compile(r"\w+")
_PICKS = 10
_MOST_CAUSES = 3
_SAME_CLAUSE = 0.92
"""At this cosine or more, two clauses say the same, unless they point in opposite directions."""
_SAME_SUBJECT = 0.85
"""At this cosine or more, two clauses are about the same."""
_OPPOSITES = (
    ("high", "low"),
    ("new", "old"),
    ("more", "less"),
    ("most", "least"),
    ("similar", "different"),
    ("popular", "obscure"),
    ("well", "lesser"),
    ("recent", "older"),
)
"""Words that are close together in the embedding space but ask for the opposite."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A feature whose weight would have lifted the chosen item.

    Attributes:
        feature: Name of the feature.
        sign: 1 to prefer high values, -1 to prefer low ones.
        rank: The rank of the chosen item, if this cause and the ones before it were fixed.
    """

    feature: Feature
    sign: float
    rank: int

    def advice(self, *, gently: bool = False) -> str:
        """Phrase the cause as an imperative, without a full stop."""
        phrases = self.feature.more if self.sign > 0 else self.feature.less
        return advice(phrases[0], gently=gently)


def chosen_number(messages: Sequence[BaseMessage]) -> int | None:
    """Return the number of the item that the conversation says was chosen."""
    for message in reversed(messages):
        for value in json_objects(message.text):
            chosen = value.get("chosen")
            if is_object(chosen) and isinstance(chosen.get("number"), int):
                return chosen["number"]
    return None


def suspect(document: RankingDocument, encode: Encode) -> str:
    """Say what the own picks have in common, and so what they may have missed."""
    features = build_features(document, encode)
    picks = _picks(base_score(features))
    neglected = [
        feature.name
        for feature in features
        if "=" not in feature.name and feature.values[picks].mean() < feature.values.mean() + 0.25
    ]
    return (
        "My picks resemble the history in text and attributes. "
        f"They hardly weigh: {', '.join(neglected) or 'nothing else'}."
    )


def explain(document: RankingDocument, number: int, encode: Encode) -> str:
    """Say in which features the chosen item stands out from the own picks."""
    features = build_features(document, encode)
    picks = _picks(base_score(features))
    target = list(document.numbers).index(number)
    lines = [
        f"- {cause.feature.name}: it stands {cause.feature.values[target]:+.1f} deviations from "
        f"the average candidate, my picks {cause.feature.values[picks].mean():+.1f}; weighing it "
        f"{'more' if cause.sign > 0 else 'the other way'} would have put the item at {cause.rank}."
        for cause in causes(document, number, encode)
    ]
    return (
        "\n".join(["I missed it for these reasons:", *lines])
        if lines
        else ("Nothing that I can read sets it apart from my picks.")
    )


def advise(document: RankingDocument, number: int, encode: Encode) -> str:
    """Phrase the causes together as hints, and each alone; none asks for more than it takes.

    Returns:
        JSON as the prompt asks for.
    """
    found = causes(document, number, encode)
    total = base_score(build_features(document, encode))
    target = list(document.numbers).index(number)
    hints: list[str] = []
    for some in [*(found[:count] for count in range(len(found), 1, -1)), *([one] for one in found)]:
        push = HINT_WEIGHT * np.sum([cause.sign * cause.feature.values for cause in some], axis=0)
        gently = _rank(total + GENTLE * push, target) <= _rank(total + push, target)
        first, *others = (cause.advice(gently=gently) for cause in some)
        hints.append("; ".join([first, *map(_lowered, others)]) + ".")
    return json.dumps({"hints": hints})


def causes(document: RankingDocument, number: int, encode: Encode) -> list[Cause]:
    """Find the features that, weighed one after the other, lift the chosen item the most."""
    features = build_features(document, encode)
    target = list(document.numbers).index(number)
    total = base_score(features)
    rank = _rank(total, target)
    found: list[Cause] = []
    while len(found) < _MOST_CAUSES:
        options = [
            Cause(feature, sign, _rank(total + HINT_WEIGHT * sign * feature.values, target))
            for feature in features
            if "=" not in feature.name  # one genre or director points at items, it teaches no rule
            for sign, phrases in ((1.0, feature.more), (-1.0, feature.less))
            if (sign > 0 or feature.resembles is None)  # undoing what every ranking rests on
            if phrases and feature.name not in {cause.feature.name for cause in found}
        ]
        best = min(options, key=lambda cause: cause.rank, default=None)
        if best is None or best.rank >= rank:
            break
        found.append(best)
        total, rank = total + HINT_WEIGHT * best.sign * best.feature.values, best.rank
    return found


def repeated(hint: str, known: Sequence[str], encode: Encode) -> int:
    """Return which known hint gives the same advice, numbered from 1, or 0.

    Two hints are the same if each clause of either has its like in the other, and asks for as much.
    """
    for number, other in enumerate(known, start=1):
        mine, theirs = clauses(hint), clauses(other)
        if len(mine) == len(theirs) and _covered(mine, theirs, encode):
            return number
    return 0


def same_subject(clause: str, other: str, encode: Encode) -> bool:
    """Tell whether two clauses are about the same, be it for or against it, more or less."""
    first, second = wanted(clause), wanted(other)
    if first is not None and second is not None and first.phrase == second.phrase:
        return True
    return (encode([clause]) @ encode([other]).T).item() > _SAME_SUBJECT


def _covered(mine: Sequence[str], theirs: Sequence[str], encode: Encode) -> bool:
    alike = encode(mine) @ encode(theirs).T > _SAME_CLAUSE
    for row, one in enumerate(mine):
        for column, other in enumerate(theirs):
            alike[row, column] &= not _opposed(one, other)
            alike[row, column] &= asks_gently(one) == asks_gently(other)
    return bool(alike.any(axis=1).all() and alike.any(axis=0).all())


def _opposed(one: str, other: str) -> bool:
    if (AGAINST.search(one) is None) != (AGAINST.search(other) is None):
        return True
    words, others = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    apart, others_apart = words - others, others - words
    return any(
        (high in apart and low in others_apart) or (low in apart and high in others_apart)
        for high, low in _OPPOSITES
    )


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def _picks(total: Scores) -> NDArray[np.intp]:
    return np.argsort(-total, kind="stable")[:_PICKS]


def _rank(total: Scores, target: int) -> int:
    return int((total > total[target]).sum()) + 1
