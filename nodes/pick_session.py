"""Node `pick_session`: finds the training session that the `learn` graph works on."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.domains import Domain, find_domain
from ..knowledge.sessions.training_sessions import fetch_session, observe_session, session_keys
from ..ranking.hints.panels import sessions_to_learn
from ..ranking.request import check_candidates, validated
from ..records import Session
from ..runtime.node import Update, first_node
from ..runtime.options import RunOptions
from .learn_state import LearnRequest, LearnResult, LearnState, ObservedSession


@first_node(LearnResult)
async def pick_session(state: LearnState, options: RunOptions) -> Update:
    """Take the session that the request names, store the one it holds, or take the next one.

    Returns:
        The session's key, history, target and candidates.
    """
    if options.caller is not None:
        options.caller.require("learn")
    options.require_model()
    given = {name: state.get(name) for name in LearnRequest.model_fields}
    request = validated(LearnRequest, given)
    async with options.services.engine.begin() as connection:
        name = request.domain or options.domain
        domain = await find_domain(connection, name, among=options.domains)
        key, observed = request.session, request.observed
        if observed is not None:
            read = _read(observed, options.settings.max_candidates)
            key = await observe_session(connection, domain, read, source=options.source)
        elif key is None:
            key = await _next(connection, domain, options)
        session = await fetch_session(connection, domain.id, key)
    return {
        "domain": domain.name,
        "training_session": key,
        "history": list(session.history),
        "target": session.target,
        "candidates": list(session.candidates) if session.candidates else None,
    }


def _read(given: ObservedSession, most: int) -> Session:
    """Return what was observed; what is stored must be such as can be ranked."""
    if given.candidates is None:
        return Session(tuple(given.history), given.target)
    if given.target not in given.candidates:
        raise InputError("candidates", "The target is not among them.", "Add it, or send none.")
    candidates = list(dict.fromkeys(given.candidates))
    check_candidates(candidates, most)
    return Session(tuple(given.history), given.target, tuple(candidates))


async def _next(connection: AsyncConnection, domain: Domain, options: RunOptions) -> int:
    keys = await session_keys(connection, domain.id)
    for key in await sessions_to_learn(connection, domain.id, keys, options):
        return key
    raise InputError(
        "domain", f"{domain.name!r} has no session left to learn from.", "Load more sessions."
    )
