"""Node `pick_session`: finds the training session that the `learn` graph works on."""

from __future__ import annotations

import random

from langgraph.runtime import Runtime
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError, Re2llmError
from ..knowledge.catalogue import fetch_items, refresh_popularity
from ..knowledge.domains import Domain, find_domain, mark_changed
from ..knowledge.engine import unreachable
from ..knowledge.reflections import settled_sessions
from ..knowledge.training_sessions import (
    fetch_session,
    session_keys,
    store_sessions,
    stored_keys,
)
from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
from ..ranking.state import LearnState, ObservedSession, Update
from ..records import Session
from ..runtime.options import Context, RunOptions, resolve


async def pick_session(state: LearnState, runtime: Runtime[Context]) -> Update:
    """Take the session that the request names, store the one it holds, or take the next one.

    Args:
        state: The request.
        runtime: The run's options.

    Returns:
        The session's key, history, target and candidates; or an `error`.
    """
    try:
        options = await resolve(runtime)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    try:
        async with options.services.engine.begin() as connection:
            name = state.get("domain") or options.domain
            domain = await find_domain(connection, name, among=options.domains)
            key, observed = state.get("session"), state.get("observed")
            if observed is not None:
                key = await observe(connection, domain, _read(observed))
            elif key is None:
                key = await _next(connection, domain, options)
            session = await fetch_session(connection, domain.id, key)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    except (OSError, SQLAlchemyError) as error:
        return {"error": unreachable(options.services.engine, error).as_dict()}
    return {
        "domain": domain.name,
        "training_session": key,
        "history": list(session.history),
        "target": session.target,
        "candidates": list(session.candidates) if session.candidates else None,
    }


def _read(observed: object) -> Session:
    try:
        # LangGraph hands the input on as it came.
        given = ObservedSession.model_validate(observed)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["observed", *map(str, first["loc"])])
        raise InputError(place, f"{first['msg']}.", "See the input schema.") from error
    if given.candidates is not None and given.target not in given.candidates:
        raise InputError("candidates", "The target is not among them.", "Add it, or send none.")
    candidates = None if given.candidates is None else tuple(given.candidates)
    return Session(tuple(given.history), given.target, candidates)


async def observe(connection: AsyncConnection, domain: Domain, session: Session) -> int:
    """Make an observed session a training session, unless it is one already.

    Args:
        connection: In a transaction.
        domain: The catalogue.
        session: With its target.

    Returns:
        The session's key.

    Raises:
        InputError: It names an item that the catalogue does not know.
    """
    ids = {*session.history, session.target or "", *(session.candidates or ())}
    unknown = ids - set(await fetch_items(connection, domain, list(ids)))
    if unknown:
        raise InputError(
            "history", f"Domain {domain.name!r} does not know {min(unknown)!r}.", "Send known ids."
        )
    if await store_sessions(connection, domain, [session]):
        await refresh_popularity(connection, domain)
        await mark_changed(connection, domain)
    return min(await stored_keys(connection, domain, [session]))


async def _next(connection: AsyncConnection, domain: Domain, options: RunOptions) -> int:
    settled = await settled_sessions(
        connection, domain.id, options.model, options.prompt_version, REFLECTION_PROMPT_VERSION
    )
    for key in learning_order(await session_keys(connection, domain.id), options.seed):
        if key not in settled:
            return key
    raise InputError(
        "domain", f"{domain.name!r} has no session left to learn from.", "Load more sessions."
    )


def learning_order(keys: list[int], seed: int) -> list[int]:
    """Return the seeded order in which training sessions are learnt from.

    Args:
        keys: Of the sessions to learn from, in the order they were loaded.
        seed: Of the shuffle.
    """
    return random.Random(seed).sample(keys, len(keys))
