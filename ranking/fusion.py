"""Several orders of the same candidates, and one ranking out of the answers to them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar, cast

from .prompt import asked
from .state import RecommendState

_DAMPING = 60
"""Of reciprocal rank fusion, as in Cormack, Clarke & Büttcher (SIGIR 2009)."""

_Key = TypeVar("_Key", int, str)


def reordered(state: RecommendState, order: int) -> tuple[RecommendState, list[int]]:
    """Return a request with its candidates in another order.

    Args:
        order: Which of the orders; 0 leaves it as it is.

    Returns:
        The request with the candidates that the prompt lists, and for each of its places the
        candidate's number in the original.
    """
    places = list(range(asked(state)))
    if order:
        random.Random(order).shuffle(places)
    evidence = state["evidence"]
    changed = {
        **state,
        "candidate_items": [state["candidate_items"][place] for place in places],
        "evidence": [evidence[place] for place in places] if evidence else [],
    }
    return cast("RecommendState", changed), [place + 1 for place in places]


def fuse(rankings: Sequence[Sequence[_Key]]) -> list[_Key]:
    """Fuse rankings by their reciprocal ranks; what a ranking leaves out gets nothing from it.

    Args:
        rankings: Of the same candidates, best first.

    Returns:
        Everything that any of them ranks, best first; equals in the order of the first ranking.
    """
    scores: Counter[_Key] = Counter()
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] += 1 / (_DAMPING + rank)  # pyright: ignore[reportArgumentType]  # typed for counts
    return [key for key, _ in scores.most_common()]
