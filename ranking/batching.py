"""Which misses share a cause, so that one reflection can be about all of them.

Of a miss it is known how far, in each figure that the prompt shows, the chosen item stands out from
the model's picks: that is its diagnosis. Misses whose diagnoses point the same way are put together
around the one that is being learned from, those first whose sessions are alike, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..knowledge.domains import find_domain
from ..knowledge.evidence import EVIDENCE
from ..knowledge.reflections import waiting_misses
from ..knowledge.trials import hit_ranks
from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION, Figure, ShownMiss
from ..policies.descriptors import session_descriptors
from ..policies.session_stats import (
    Floats,
    evidence_columns,
    main_number,
    numeric_values,
    profile_scores,
    standardised,
    texts_of,
)
from ..records import Item
from ..runtime.options import RunOptions
from ..runtime.outages import side_by_side
from .panels import random_panel, random_sessions
from .prompt import candidates, recipe_of
from .state import ItemView, RecommendState
from .trials import resolve_session, run_trial

_ALIKE = 0.5
"""Cosine of two diagnoses from which two misses may share a cause."""
_SESSIONS = 0.5
"""What the likeness of the sessions counts beside that of the diagnoses."""
_LOOKED_AT = 64
"""Waiting misses that are compared with one."""
_PER_MISS = 3
"""Misses that have to be known for each one of a batch, so that some are like it."""
_RECENT = 5
_SEVERAL, _MANY = 2, 0.1
"""Items of a history, and share of the candidates, that have an attribute worth comparing."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A ranking without a hint that missed.

    Attributes:
        session: Key of the training session.
        rank: Of the chosen item.
        figures: Where the chosen item and, on average, the picks stand.
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
        """By figure, how far the chosen item stands out from the picks."""
        return {figure.name: figure.chosen - figure.picked for figure in self.figures}


async def batch_of(state: RecommendState, rank: int, count: int, options: RunOptions) -> list[Miss]:
    """Return a miss and known ones that share its cause, the most alike first.

    Args:
        state: Of the miss, with the model's answer.
        rank: Of its target.
        count: How many at most, the miss itself included.

    Returns:
        The miss alone if nothing is known that is like it.
    """
    key, domain = state.get("training_session") or 0, state["domain"]
    own = await asyncio.to_thread(miss_of, state, key, rank, state["answer"], options)
    waiting = await _waiting(domain, options)
    if len(waiting) < _PER_MISS * count and options.settings.verify_rule != "paper":
        # In one process, they wait for each other: what one pays for, the others find.
        async with options.services.one_at_a_time(f"misses of {domain}".encode()):
            waiting = await _with_panel(domain, _PER_MISS * count, options)
    known: list[Miss] = []
    others = [other for other in waiting if other != key]
    for other in random_sessions(others, _LOOKED_AT, options.seed):
        trial = await run_trial(domain, other, None, options)
        resolved = await resolve_session(domain, other, options)
        # Of what the model was not asked about, it cannot learn.
        if resolved.get("target") in [item.id for item in candidates(resolved)]:
            told = (resolved, other, trial.rank, trial.answer, options)
            known.append(await asyncio.to_thread(miss_of, *told))
    likely = [known[row] for row in await asyncio.to_thread(alike, own, known)]
    return [own, *await _claimed(own, likely, count - 1, domain, options)]


async def _claimed(
    own: Miss, others: Sequence[Miss], count: int, domain: str, options: RunOptions
) -> list[Miss]:
    """Claim the first misses that no other learner works on; they go with the own session."""
    claimed: list[Miss] = []
    for miss in others:
        if len(claimed) == count:
            break
        if await options.services.locks.claim_further(own.session, miss.session):
            claimed.append(miss)
    if not claimed:
        return []
    # Another learner may have settled one just before it gave it back.
    left = set(await _waiting(domain, options))
    return [miss for miss in claimed if miss.session in left]


async def _waiting(domain: str, options: RunOptions) -> list[int]:
    """Return the known misses that were not reflected upon."""
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        return await waiting_misses(
            connection,
            found.id,
            options.model,
            options.prompt_version,
            REFLECTION_PROMPT_VERSION,
            retrieved=options.settings.candidates,
        )


async def _with_panel(domain: str, enough: int, options: RunOptions) -> list[int]:
    """Rank sessions of the verification panel without a hint, which verifying does anyway."""
    waiting = await _waiting(domain, options)
    left, at_once = list((await random_panel(domain, options)).first), options.settings.concurrency
    budget = options.budget
    if budget and budget.max_calls is not None and budget.max_calls - budget.calls < len(left):
        return waiting  # the calls are needed to learn from what is known

    async def rank(session: int) -> None:
        await run_trial(domain, session, None, options)

    while left and len(waiting) < enough:
        part, left = left[:at_once], left[at_once:]
        stopped = await side_by_side(part, rank, at_once=at_once)
        if stopped is not None:
            raise stopped
        waiting = await _waiting(domain, options)
    return waiting


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
        rank: Of the target.
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
        for name, meaning, values in _figures(state)
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
            [_item(view) for view in state["history_items"][-_RECENT:]],
            listed[chosen],
            rank,
            [listed[row] for row in picks[:3]],
            figures,
        ),
    )


def _figures(state: RecommendState) -> list[tuple[str, str, Floats]]:
    """Return what candidates can be told apart by: name, meaning and standardised values."""
    history = [view["attributes"] for view in state["history_items"]]
    offered = [view["attributes"] for view in state["candidate_items"]]
    found: list[tuple[str, str, Floats]] = []
    kinds = tuple(EVIDENCE)
    for kind, column in zip(
        kinds, evidence_columns(state["evidence"], kinds, len(offered)), strict=True
    ):
        values = standardised(np.log1p(np.maximum(column, 0)))
        found.append((f"evidence:{kind}", EVIDENCE[kind], values))
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


def _item(view: ItemView) -> Item:
    return Item(view["id"], view["title"], view["attributes"])
