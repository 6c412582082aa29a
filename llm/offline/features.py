"""What a candidate can be judged by: each feature is one number per candidate, with its meaning.

Nothing here knows a data set: features come from whatever attributes and evidence the prompt holds,
and their meanings are phrased from the attributes' own names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ...title_words import series_scores
from ..ranking_prompts.content_key import ContentKey
from .document import RankingDocument, values_of
from .likeness import RECENT, Encode, Scores, likenesses, standardised
from .sentences import WELL_KNOWN, close, field_words, high, low, one_value, wanted_evidence

_FAMOUS = ("what everyone has seen, knows or owns", "what many people chose")
_OBSCURE = ("lesser-known titles", "what is obscure, lesser-known, niche, overlooked")


@dataclass(frozen=True, slots=True)
class Feature:
    """One way to judge the candidates.

    Attributes:
        name: Short and unique in its document.
        more: Phrases for preferring candidates that score high; advice uses the first.
        less: Phrases for preferring candidates that score low.
        values: Standardised scores, shape `[candidates]`.
        resembles: How it measures resemblance to the history: by `text`, by `attributes` or not at
            all.
    """

    name: str
    more: Sequence[str]
    less: Sequence[str]
    values: Scores
    resembles: Literal["text", "attributes"] | None = None


def build_features(document: RankingDocument, encode: Encode) -> Sequence[Feature]:
    """Return every feature that the document has data for, whatever its hint says.

    Args:
        encode: Texts to unit vectors, shape `[n, d]`.
    """
    return _built(_content(document), encode)


def _content(document: RankingDocument) -> ContentKey[RankingDocument]:
    if document.unhinted:
        return ContentKey(document, document.unhinted)
    entries = [
        [(entry.title, dict(entry.facts), dict(entry.evidence)) for entry in entries]
        for entries in (document.history, document.candidates)
    ]
    return ContentKey(document, (entries, dict(document.evidence_meaning), document.tabular))


@lru_cache(maxsize=256)  # hints are tried one after the other on the same sessions
def _built(content: ContentKey[RankingDocument], encode: Encode) -> Sequence[Feature]:
    document = content.value
    features = [
        *_resemblance(document, encode),
        *_attributes(document),
        *_evidence(document),
        _series(document),
    ]
    return tuple(_distinct(features))


def _distinct(features: Sequence[Feature]) -> list[Feature]:
    """Name the attribute or evidence in advice that two features would otherwise share."""
    times = Counter(phrases[0] for f in features for phrases in (f.more, f.less) if phrases)

    def apart(phrases: Sequence[str], name: str) -> Sequence[str]:
        if not phrases or times[phrases[0]] == 1:
            return phrases
        kind, _, of = name.partition(":")
        return (f"{phrases[0]} by {field_words(of if kind == 'evidence' else kind)}", *phrases)

    def named(feature: Feature) -> Feature:
        more, less = (apart(phrases, feature.name) for phrases in (feature.more, feature.less))
        if more is feature.more and less is feature.less:
            return feature
        return replace(feature, more=more, less=less)

    return [named(feature) for feature in features]


def _resemblance(document: RankingDocument, encode: Encode) -> list[Feature]:
    whole, recent, single = likenesses(document, encode)
    return [
        Feature(
            "like_history",
            ("what is similar to what was chosen before", "the person's established taste"),
            (
                "a change from what was chosen before",
                "what is different from what was chosen before",
                "variety, diversity, novelty, surprise",
            ),
            whole,
            "text",
        ),
        Feature(
            "like_recent",
            ("what is similar to the most recent items", "continues the current mood and tone"),
            ("a change from the most recent items", "a break from the current mood"),
            recent,
            "text",
        ),
        Feature(
            "like_one",
            ("what closely resembles one particular item of the history",),
            (),
            single,
            "text",
        ),
    ]


def _attributes(document: RankingDocument) -> list[Feature]:
    names = Counter(name for entry in document.candidates for name in entry.facts)
    features: list[Feature] = []
    for name in names:
        cells = [entry.facts.get(name) for entry in document.candidates]
        past = [entry.facts[name] for entry in document.history if name in entry.facts]
        if all(isinstance(cell, int | float) for cell in cells if cell is not None):
            features += _numeric(name, cells, [p for p in past if isinstance(p, int | float)])
        else:
            features += _categorical(name, cells, past)
    return features


def _numeric(name: str, cells: Sequence[Any], past: Sequence[float]) -> list[Feature]:
    known = [float(cell) for cell in cells if cell is not None]
    middle = float(np.median(known))
    values = np.array([middle if cell is None else float(cell) for cell in cells])
    more, less, alike = number_phrases(name)
    features = [Feature(f"{name}:high", more, less, standardised(values))]
    if past:
        distance = np.abs(values - np.mean(past[-RECENT:]))
        features.append(Feature(f"{name}:close", alike, (), standardised(-distance), "attributes"))
    return features


def number_phrases(name: str) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return phrases for a large number, for a small one, and for one like the history's."""
    word = field_words(name)
    if any(part in name.lower() for part in ("year", "date", "released")):
        more = (
            "recent titles",
            "what is recent",
            "what is new, recently released, contemporary, modern",
        )
        less = ("older titles", "what is old, released long ago, classic, vintage")
        alike = (
            "titles from the same years as the history",
            "the same era, decade or period as the history",
            "the decade of the most recent items",
            f"the same era as the history; release {word}s close to the history's",
        )
        return more, less, alike
    return (high(word), f"praised, acclaimed: the best {word}"), (low(word),), (close(word),)


def shared_phrase(name: str) -> str:
    """Return the phrase for values of an attribute that the history has, too."""
    return f"the same {field_words(name)} as in the history"


def evidence_phrases(name: str, meaning: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return phrases for much evidence of a kind, and for little.

    Args:
        meaning: What the prompt says about it; may be empty.
    """
    known = tuple(part for part in (*meaning.split("; "), field_words(name)) if part)
    more = (wanted_evidence(known, field_words(name)), *known)
    return (more + _FAMOUS, _OBSCURE) if more[0] == WELL_KNOWN else (more, ())


def _categorical(name: str, cells: Sequence[Any], past: Sequence[Any]) -> list[Feature]:
    word = field_words(name)
    sets = [frozenset(values_of(cell)) for cell in cells]
    features: list[Feature] = []
    if past:
        everything = Counter(value for cell in past for value in values_of(cell))
        lately = Counter(value for cell in past[-RECENT:] for value in values_of(cell))
        features.append(
            Feature(
                f"{name}:shared",
                (shared_phrase(name), f"{word} that recurs in the history"),
                (),
                standardised(_overlap(sets, everything)),
                "attributes",
            )
        )
        features.append(
            Feature(
                f"{name}:recent",
                (f"the same {word} as the most recent items",),
                (),
                standardised(_overlap(sets, lately)),
                "attributes",
            )
        )
    return [*features, *_single_values(name, word, sets)]


def _single_values(name: str, word: str, sets: Sequence[frozenset[str]]) -> list[Feature]:
    """Return a feature for each value that some candidates hold and others do not."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, values in enumerate(sets):
        for value in sorted(values):
            places[value].append(place)
    features: list[Feature] = []
    for value, held in places.items():
        share = len(held) / len(sets)
        if share < 1:
            spread = (share * (1 - share)) ** 0.5
            scores = np.full(len(sets), -share / spread)
            scores[held] = (1 - share) / spread
            phrases = (one_value(word, value), f"{value} ({word})")
            features.append(Feature(f"{name}={value}", phrases, (), scores))
    return features


def _overlap(sets: Sequence[frozenset[str]], counts: Counter[str]) -> Scores:
    total = max(counts.total(), 1)
    return np.array(
        [sum(counts[v] for v in values) / total / max(len(values), 1) ** 0.5 for values in sets]
    )


def _evidence(document: RankingDocument) -> list[Feature]:
    names = dict.fromkeys(name for entry in document.candidates for name in entry.evidence)
    features: list[Feature] = []
    for name in names:
        stats = np.array([entry.evidence.get(name, 0.0) for entry in document.candidates])
        more, less = evidence_phrases(name, document.evidence_meaning.get(name, ""))
        scaled = stats if document.tabular else np.log1p(np.maximum(stats, 0))
        features.append(Feature(f"evidence:{name}", more, less, standardised(scaled)))
    return features


def _series(document: RankingDocument) -> Feature:
    values = series_scores(
        [entry.title for entry in document.candidates], [entry.title for entry in document.history]
    )
    return Feature(
        "series",
        (
            "sequels and other parts of the same series",
            "sequels, prequels and other parts of the same series or franchise",
        ),
        (),
        standardised(np.array(values)),
        "attributes",
    )
