"""What is known of a miss: its diagnosis, and which misses may share its cause.

The diagnosis is how far, in each figure that the prompt shows, the chosen item stands out from the
model's picks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, standardised
from ...llm.hints.reflection_prompt import Figure, ShownMiss
from ...policies.descriptors import session_descriptors
from ...policies.session_stats import (
    evidence_columns,
    main_number,
    numeric_values,
    profile_scores,
    texts_of,
)
from ...rank_metrics import hit_ranks
from ...runtime.options import RunOptions
from ..item_views import item_of
from ..prompt import candidates, recipe_of
from ..shown_evidence import meanings
from ..state import RecommendState

_ALIKE = 0.5
"""Two misses may share a cause if the cosine of their diagnoses is at least this."""
_SESSIONS = 0.5
"""The weight of the sessions' likeness; that of the diagnoses has weight 1."""
_RECENT = 5
_SEVERAL, _MANY = 2, 0.1
"""Items of a history, and share of the candidates, that have an attribute worth comparing."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A ranking without a hint that missed.

    Attributes:
        session: Key of the training session.
        rank: The rank of the chosen item.
        figures: Figures of the chosen item and, on average, of the picks.
        describes: The session, from `session_descriptors`; shape `[D]`.
        shown: What the reflecting model sees.
    """

    session: int
    rank: int
    figures: Sequence[Figure]
    describes: NDArray[np.float32]
    shown: ShownMiss

    @property
    def gaps(self) -> Mapping[str, float]:
        """How far the chosen item stands out from the picks, by figure."""
        return {figure.name: figure.chosen - figure.picked for figure in self.figures}


def alike(own: Miss, known: Sequence[Miss]) -> list[int]:
    """Return the misses that may share a miss's cause, the most alike first.

    Returns:
        Rows of `known`.
    """
    if not known:
        return []
    names = sorted({name for miss in (own, *known) for name in miss.gaps})
    gaps = np.array([[miss.gaps.get(name, 0.0) for name in names] for miss in (own, *known)])
    described = np.stack([miss.describes for miss in (own, *known)]).astype(np.float64)
    described = (described - described.mean(axis=0)) / np.maximum(described.std(axis=0), 1e-9)
    causes, sessions = _cosines(gaps), _cosines(described)
    likeness = causes + _SESSIONS * sessions
    rows = [row for row in range(len(known)) if causes[row] >= _ALIKE]
    return sorted(rows, key=lambda row: (-likeness[row], known[row].session))


def _cosines(rows: Floats) -> Floats:
    """Return the cosine of each row with the first, shape `[rows - 1]`; 0 where one is 0."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    return rows[1:] @ rows[0] / (lengths[1:] * lengths[0])


def miss_of(
    state: RecommendState, session: int, rank: int, answer: str, options: RunOptions
) -> Miss:
    """Describe a miss.

    Args:
        state: Resolved, with its target.
        rank: The rank of the target.
        answer: The model's, without a hint.
    """
    listed = candidates(state)
    numbers = recipe_of(state, options).read(answer, listed).numbers
    chosen = next(row for row, item in enumerate(listed) if item.id == state.get("target"))
    others = [row for row in (number - 1 for number in numbers) if row != chosen]
    others = others or [row for row in range(len(listed)) if row != chosen]
    picks = others[: hit_ranks(len(listed))]
    figures = [
        Figure(name, meaning, float(values[chosen]), float(values[picks].mean()))
        for name, meaning, values in _figures(state, options)
    ]
    return Miss(
        session,
        rank,
        figures,
        session_descriptors(
            state["history_items"],
            state["candidate_items"],
            state["evidence"],
            state["session_embedding"],
        ),
        ShownMiss(
            [item_of(view) for view in state["history_items"][-_RECENT:]],
            listed[chosen],
            rank,
            [listed[row] for row in picks[:3]],
            figures,
        ),
    )


def _figures(state: RecommendState, options: RunOptions) -> list[tuple[str, str, Floats]]:
    """Return what candidates can be told apart by: name, meaning and standardised values."""
    history = [view["attributes"] for view in state["history_items"]]
    offered = [view["attributes"] for view in state["candidate_items"]]
    found: list[tuple[str, str, Floats]] = []
    kinds = meanings(options)
    columns = evidence_columns(state["evidence"], tuple(kinds), len(offered))
    for (kind, meaning), column in zip(kinds.items(), columns, strict=True):
        values = standardised(np.log1p(np.maximum(column, 0)))
        found.append((f"evidence:{kind}", meaning, values))
    number = main_number([*history, *offered])
    if number is not None:
        values, past = numeric_values(offered, number), numeric_values(history, number)
        values = np.where(np.isnan(values), np.nanmedian(values), values)
        found.append((f"number:{number}", f"a high {number}", standardised(values)))
        recent = past[~np.isnan(past)][-_RECENT:]
        if len(recent):
            near = -np.abs(values - recent.mean())
            found.append((f"near:{number}", f"{number} close to the history's", standardised(near)))
    for name in _textual(history, offered):
        shared = profile_scores(texts_of(_only(history, name)), texts_of(_only(offered, name)))
        found.append((f"shared:{name}", f"{name} that the history has, too", standardised(shared)))
    return [part for part in found if np.isfinite(part[2]).all() and part[2].any()]


def _textual(
    history: Sequence[Mapping[str, Any]], offered: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the attributes with text that several items of both have, so that they can agree."""
    past, now = _counted(history), _counted(offered)
    several, many = min(_SEVERAL, len(history)), _MANY * len(offered)
    return sorted(name for name in now if past[name] >= several and now[name] >= many)


def _counted(items: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(
        name for item in items for name, value in item.items() if not isinstance(value, int | float)
    )


def _only(items: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{name: item[name]} if name in item else {} for item in items]
