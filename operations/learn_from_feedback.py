"""Learns from the misses that feedback has shown, beside the answers and within a budget."""

from __future__ import annotations

import logging
from typing import Any

from ..errors import BudgetSpentError, InputError, ModelDownError
from ..knowledge.domains import find_domain
from ..knowledge.feedback import Miss, mark_learnt, misses_to_learn
from ..knowledge.hint_stats import retire_harmful
from ..knowledge.reflections import settled_sessions
from ..knowledge.training_sessions import observe_session
from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
from ..ranking.hint_stats import update_figures
from ..records import Session
from ..runtime.options import Context, resolve_context
from ..runtime.services import Services
from ..runtime.sharing import ServiceSet
from .graphs import LEARN, run_graph

_log = logging.getLogger(__name__)


async def learn_from_misses(services: Services) -> None:
    """Learn from every miss of the settings' model that waits, one after the other.

    Each becomes a training session and runs through the `learn` graph once, whichever process
    comes first. Where the budget ends or the model is down, the rest waits for the next time.

    Args:
        services: Database, models and caches; their budget for feedback is what may be spent.
    """
    async with services.engine.connect() as connection:
        waiting = await misses_to_learn(connection, services.settings.model)
    for miss in waiting:
        try:
            done = await _learn(services, miss)
        except (BudgetSpentError, ModelDownError) as error:
            _log.info("Learning from feedback waits: %s", error)
            return
        except InputError as error:
            _log.warning("Feedback on %s teaches nothing: %s", miss.recommendation_id, error)
            done = True
        if done:
            await _settle(services, miss)


async def _learn(services: Services, miss: Miss) -> bool:
    """Learn from one miss; return whether that is done, here or earlier."""
    model = services.settings.model
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, miss.domain)
        key = await observe_session(connection, domain, _session(miss))
    if not await services.locks.claim_session(key):
        return False  # another process is at it
    try:
        async with services.engine.connect() as connection:
            options = await resolve_context(_options(services))
            versions = (options.prompt_version, REFLECTION_PROMPT_VERSION)
            if await settled_sessions(connection, domain.id, model, *versions, among=key):
                return True
        request: Any = {"session": key, "domain": miss.domain}
        await run_graph(LEARN, request, _options(services))
    finally:
        await services.locks.release_session(key)
    return True


def _options(services: Services) -> Context:
    return Context(
        budget=services.feedback_budget, services=ServiceSet.of(services), command="feedback"
    )


async def _settle(services: Services, miss: Miss) -> None:
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, miss.domain)
        await mark_learnt(connection, miss.recommendation_id)
        options = await resolve_context(_options(services))
        await update_figures(connection, domain.id, options)
        await retire_harmful(connection, domain.id)


def _session(miss: Miss) -> Session:
    # An item that was not among the candidates is ranked among some that are retrieved.
    listed = miss.picked in miss.candidates
    return Session(tuple(miss.history), miss.picked, tuple(miss.candidates) if listed else None)
