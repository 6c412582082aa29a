"""Reflects on several misses at once without an LLM: what sets the chosen items apart in most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..text.json_values import is_list, is_object
from .features import evidence_phrases, number_phrases, shared_phrase
from .reading import is_number
from .sentences import advice

_MOST_CAUSES = 3
_MOST = 0.6
"""Share of the misses that must show a cause."""
_LEAST = 0.25
"""Standard deviations by which the chosen items must stand out on average."""


def advised_for_most(document: Mapping[str, Any]) -> str:
    """Write what the prompt asks for: the cause, and a hint against it.

    Args:
        document: A document with the keys `figures` and `misses`.

    Returns:
        JSON; the strongest cause alone is the second wording.
    """
    meanings = document["figures"] if is_object(document["figures"]) else {}
    found: list[tuple[float, str, str]] = []
    for name, meaning in meanings.items():
        gaps = np.array(_gaps(document["misses"], name))
        if not len(gaps):
            continue
        more, less = _phrases(name, str(meaning))
        for sign, phrase in ((1.0, more), (-1.0, less)):
            mean, share = float(sign * gaps.mean()), float((sign * gaps > 0).mean())
            if phrase and share >= _MOST and mean >= _LEAST:
                found.append((mean, name, phrase))
    found.sort(key=lambda cause: (-cause[0], cause[1]))
    causes = found[:_MOST_CAUSES]
    if not causes:
        return json.dumps({"cause": "Nothing that I can read is common to them.", "hints": []})
    said = [f"{name}: the chosen items stand {mean:.1f} apart" for mean, name, _ in causes]
    parts = [advice(phrase) for _, _, phrase in causes]
    joined = "; ".join([parts[0], *(part[0].lower() + part[1:] for part in parts[1:])]) + "."
    hints = list(dict.fromkeys([joined, f"{parts[0]}."]))
    return json.dumps({"cause": "; ".join(said) + ".", "hints": hints})


def _gaps(misses: Any, name: str) -> list[float]:
    """Return how far the chosen item stands out from the picked ones, where that is told."""
    found: list[float] = []
    for miss in misses if is_list(misses) else []:
        standing = miss.get("standing") if is_object(miss) else None
        place = standing.get(name) if is_object(standing) else None
        if is_object(place) and is_number(place.get("chosen")) and is_number(place.get("picked")):
            found.append(float(place["chosen"]) - float(place["picked"]))
    return found


def _phrases(name: str, meaning: str) -> tuple[str, str]:
    """Return what to ask for where chosen items stand high and where low; empty for nothing."""
    kind, _, of = name.partition(":")
    if kind == "shared":
        return shared_phrase(of), ""
    if kind in {"number", "near"}:
        more, less, close = number_phrases(of)
        return (close[0], "") if kind == "near" else (more[0], less[0])
    more, less = evidence_phrases(of or name, meaning)
    return more[0], "".join(less[:1])
