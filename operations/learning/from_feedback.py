"""Learns from the misses that feedback has shown, within a budget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...errors import InputError, Re2llmError
from ...knowledge.log.misses import Miss, mark_learnt, misses_to_learn
from ...knowledge.sessions.training_sessions import observe_session, picked_session
from ...records import Session
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.services import Services
from ...runtime.sharing import ServiceSet
from ..database import connected, in_domain
from ..hints.results import RetiredHint
from .learner import Learner

_log = logging.getLogger(__name__)


async def learn_from_feedback(services: Services, *, everyones: bool = False) -> list[RetiredHint]:
    """Learn from the waiting misses of the model in the settings, oldest first, one at a time.

    Each miss becomes a training session and runs through the `learn` graph once, whichever process
    takes it first. When the budget is spent or the model is down, the rest waits for the next time.

    Args:
        services: Database, models and caches; their `feedback_budget` limits the calls.
        everyones: Also from misses that came with a key that may not learn.

    Returns:
        Hints that were retired for harm that its trials have shown.

    Raises:
        DatabaseError: The database failed. What was learned is kept.
    """
    context = Context(
        budget=services.feedback_budget, services=ServiceSet.of(services), command="feedback"
    )
    options = await resolve_context(context)
    if not options.asks_model:
        return []  # the misses wait for a model
    async with connected(options) as connection:
        waiting = await misses_to_learn(connection, options.model, everyones=everyones)
    retired: list[RetiredHint] = []
    for domain in dict.fromkeys(miss.domain for miss in waiting):
        misses = [miss for miss in waiting if miss.domain == domain]
        stopped, harmful = await _learn(replace(context, domain=domain), misses)
        for hint in harmful:
            _log.info("Hint %d of %s retired: %s", hint.id, domain, hint.reason)
        retired += harmful
        if stopped is not None:
            _log.info("Learning from feedback waits: %s", stopped)
            break
    return retired


async def _learn(
    context: Context, misses: Sequence[Miss]
) -> tuple[Re2llmError | None, list[RetiredHint]]:
    options = await resolve_context(context)
    learner = Learner(context, options)

    async def work(miss: Miss) -> None:
        try:
            async with in_domain(options, write=True) as (connection, found):
                key = await observe_session(connection, found, session_of(miss), source=miss.source)
        except InputError as error:
            _log.warning(
                "Nothing can be learned from the feedback on %s: %s", miss.recommendation_id, error
            )
            settled = True
        else:
            settled = await _settled(learner, key)
        if settled:
            async with in_domain(options, write=True) as (connection, _):
                await mark_learnt(connection, [miss.recommendation_id])

    stopped = await learner.work_through(misses, work, concurrency=1)
    return stopped, learner.retired


async def _settled(learner: Learner, key: int) -> bool:
    try:
        return await learner.learn_from(key)
    except InputError as error:  # such as a session that was deleted meanwhile: not this miss's
        _log.warning("Learning from feedback on session %d waits: %s", key, error)
        return False


def session_of(miss: Miss) -> Session:
    """Return the training session that a pick shows."""
    return picked_session(miss.history, miss.candidates, miss.picked)
