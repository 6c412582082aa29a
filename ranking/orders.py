"""Several orders of the same candidates, and one ranking out of the answers to them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, cast

import numpy as np

from ..llm.ranking_prompts.recipes import RECIPES
from ..records import Flag
from ..runtime.node import Update
from .prompt import candidates, prompt_size, wanted
from .state import RecommendState

_DAMPING = 60
"""The constant of reciprocal rank fusion, as in Cormack, Clarke & Büttcher (SIGIR 2009)."""

ReorderedRequest = tuple[RecommendState, list[int]]
"""A request in another order, and the numbers that its places have in the original."""

_Key = TypeVar("_Key", int, str)


def reordered(state: RecommendState, order: int) -> ReorderedRequest:
    """Return a request with its candidates in another order.

    Args:
        order: Which of the orders; 0 leaves it as it is.

    Returns:
        The request with the candidates that the prompt lists, and for each of its places the
        candidate's number in the original.
    """
    places = list(range(prompt_size(state)))
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
        rankings: The rankings of the same candidates, best first.

    Returns:
        Everything that any of them ranks, best first; equals in the order of the first ranking.
    """
    scores: Counter[_Key] = Counter()
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] += 1 / (_DAMPING + rank)  # pyright: ignore[reportArgumentType]  # typed for counts
    return [key for key, _ in scores.most_common()]


def combined(updates: Sequence[Update], states: Sequence[ReorderedRequest]) -> Update:
    """Fuse the answers to several orders into one.

    Args:
        updates: What was answered, all by the recipe of the first; others count as no answer.
        states: What was asked, in the same sequence; the first is the original.
    """
    recipe = RECIPES[updates[0]["recipe"]]
    reads = [
        recipe.read(update["answer"], candidates(state), wanted(state))
        for update, (state, _) in zip(updates, states, strict=True)
    ]
    read_in = list(zip(reads, (places for _, places in states), strict=True))
    scores = mean_scores([(read.scores, places) for read, places in read_in if read.scores])
    rankings = [[places[n - 1] for n in read.numbers] for read, places in read_in if read.numbers]
    answered = [Flag.MODEL_FAILED not in update["flags"] for update in updates]
    flags = dict.fromkeys(
        flag
        for update, read, good in zip(updates, reads, answered, strict=True)
        for flag in (*update["flags"], *(read.flags if good else ()))
    )
    if rankings:  # the others have answered for those that failed
        flags.pop(Flag.MODEL_FAILED, None)
    faults: Counter[str] = Counter()
    for read, good in zip(reads, answered, strict=True):
        faults.update(read.faults if good else {})
    fused = fuse(rankings)
    first, original = updates[0], candidates(states[0][0])
    return {
        **first,
        "answer": recipe.write(fused, original, scores) if fused else first["answer"],
        "flags": list(flags),
        "latency_ms": max(update["latency_ms"] for update in updates),
        "tokens": _summed(update["tokens"] for update in updates),
        "full_usage": {
            **_summed(update["full_usage"] for update in updates),
            "latency_ms": max(update["full_usage"]["latency_ms"] for update in updates),
        },
        "llm_calls": sum(update["llm_calls"] for update in updates),
        "faults": dict(faults),
        "model_error": next((u["model_error"] for u in updates if u["model_error"]), ""),
    }


def mean_scores(answers: Sequence[tuple[Sequence[float], Sequence[int]]]) -> list[float]:
    """Average the scores of several orders of the same candidates.

    Args:
        answers: The scores in each order, with the candidates' numbers in the original.

    Returns:
        In the original order; empty without answers.
    """
    if not answers:
        return []
    rows = [np.array(scores)[np.argsort(numbers)] for scores, numbers in answers]
    return [float(score) for score in np.mean(rows, axis=0)]


def added_up(update: Update, before: Update) -> Update:
    """Return an answer that took what was asked before it, too."""
    return {
        **update,
        "latency_ms": update["latency_ms"] + before["latency_ms"],
        "tokens": _summed((update["tokens"], before["tokens"])),
        "full_usage": _summed((update["full_usage"], before["full_usage"])),
        "llm_calls": update["llm_calls"] + before["llm_calls"],
    }


def _summed(counted: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for numbers in counted:
        for name, number in numbers.items():
            total[name] = total.get(name, 0) + number
    return total
