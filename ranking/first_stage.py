"""The first stage of a ranking: an order of all candidates that costs no model call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, standardised
from ..knowledge.domains import Domain
from ..knowledge.first_stages import fetch_first_stage
from ..policies.first_stage.features import FirstStageTask, evidence_sum, nearness
from ..policies.first_stage.model import FirstStage
from ..records import Item
from ..runtime.options import RunOptions


def first_stage_task(
    history: Sequence[str],
    history_items: Sequence[Item],
    candidate_items: Sequence[Item],
    evidence: Floats | None,
    embeddings: Mapping[str, NDArray[np.float32]],
    repeats: float,
) -> FirstStageTask:
    """Return the task of the first stage.

    Args:
        embeddings: The items' embeddings, shape `[384]` each.
        repeats: The part of the past sessions that chose an item of their own history.
    """
    return FirstStageTask(
        history=history,
        history_items=history_items,
        candidate_items=candidate_items,
        evidence=evidence,
        nearness=nearness(
            np.array([embeddings[item.id] for item in history_items]),
            np.array([embeddings[item.id] for item in candidate_items]),
        ),
        repeats=repeats,
    )


async def first_stage_scores(
    domain: Domain,
    task: FirstStageTask,
    options: RunOptions,
    *,
    session: int | None = None,
) -> Floats:
    """Score candidates without a model call.

    Args:
        task: What to rank; of a training session, its candidates in their stored order.
        session: Key of the training session that is being ranked, if it is one.

    Returns:
        Shape `[candidates]`, mean 0 and deviation 1; higher is better.
    """
    if task.evidence is None:
        return standardised(task.nearness[:, 0])  # meaning is all that there is
    fitted = None if options.fuse == "sum" else await _first_stage_of(domain, options)
    if fitted is None:
        return evidence_sum(task)
    return await asyncio.to_thread(fitted.scores, task, session)


async def _first_stage_of(domain: Domain, options: RunOptions) -> FirstStage | None:
    """Return the first stage that serves a domain, or `None` where none was fitted."""
    number = domain.first_stage

    async def build() -> FirstStage | None:
        if number is None:
            return None
        async with options.services.autocommit.connect() as connection:
            data = await fetch_first_stage(connection, number)
        return None if data is None else await asyncio.to_thread(FirstStage.load, data)

    versions = options.services.caches.versions
    return await versions.get("first stage", domain.id, number, build)
