"""Tries hints on training sessions, through the same code as production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ...errors import ModelDownError, failure_among
from ...knowledge.hint_store.hints import UNSTORED, Hint, hint_key, set_key
from ...knowledge.hint_store.trials import Trial, find_trial
from ...knowledge.sessions.training_sessions import fetch_session
from ...runtime.domain_cache import domain_of
from ...runtime.options import RunOptions
from ..gather import gather
from ..given import given, given_texts
from ..model_ranking import paid_trial, request_new_ranking
from ..prompt import recipe_of
from ..settle import model_was_down, settle_ranking
from ..state import RecommendState


async def resolve_session(domain: str, session_id: int, options: RunOptions) -> RecommendState:
    """Return a training session as `prepare` would return it, for any number of trials.

    It is the same for all who ask, until sessions or items change.
    """
    found = await domain_of(options.services, domain, among=options.domains)
    settings = options.settings
    key = (
        *(found.id, found.revision, session_id, options.model, options.seed, options.order),
        *(settings.candidates, settings.prompt_history, options.rerank),
        *(options.fuse, options.prompt_order, found.first_stage),
    )
    known = options.services.caches.sessions.get(key)
    if known is not None:
        return cast("RecommendState", known)
    async with options.services.autocommit.connect() as connection:
        session = await fetch_session(connection, found.id, session_id)
    request: dict[str, Any] = {
        "history": list(session.history),
        "target": session.target,
        "candidates": list(session.candidates) if session.candidates else None,
        "training_session": session_id,
    }
    request.update(await gather(found, cast("RecommendState", request), options))
    state = cast("RecommendState", request)
    options.services.caches.sessions[key] = state
    return state


async def try_hint(
    state: RecommendState, hint: str | Sequence[Hint] | None, options: RunOptions
) -> Trial:
    """Rank a resolved training session with hints or without, unless that was paid for already.

    The answer of a paid trial need not fit today's order of the candidates; its rank does.

    Args:
        state: The state from `resolve_session`; stays as it is.
        hint: The hint's text, several hints to give together, or `None`.

    Raises:
        InputError: The first stage decides alone.
        ModelDownError: The model gave no answer.
        BudgetSpentError: The budget allows no further call.
    """
    options.require_model()
    tried = _with_hint(state, hint)
    return await paid_trial(tried, options) or await _pay(tried, options)


def _with_hint(state: RecommendState, hint: str | Sequence[Hint] | None) -> RecommendState:
    hints = [Hint(UNSTORED, hint, "pending")] if isinstance(hint, str) else hint or ()
    return cast("RecommendState", {**state, **given(hints, "trial", 1.0)})


async def _pay(tried: RecommendState, options: RunOptions) -> Trial:
    tried = cast("RecommendState", {**tried, **await request_new_ranking(tried, options)})
    settled = await settle_ranking(tried, options)
    if model_was_down(settled["flags"]):
        raise ModelDownError(options.model, failure_among(settled["flags"]), settled["model_error"])
    return Trial(
        session_id=tried.get("training_session") or 0,
        hint_key=set_key(given_texts(tried)),
        model=options.model,
        prompt_version=options.version_of(recipe_of(tried, options)),
        rank=settled["rank"],
        answer=settled["answer"],
        flags=settled["flags"],
        tokens=settled["tokens"],
    )


async def run_trial(domain: str, session_id: int, hint: str | None, options: RunOptions) -> Trial:
    """Rank a training session with a hint or without, unless that was paid for already.

    Args:
        hint: The hint's text, or `None`.

    Raises:
        ModelDownError: The model gave no answer.
        BudgetSpentError: The budget allows no further call.
    """
    async with options.services.autocommit.connect() as connection:
        key = hint_key(hint)
        paid = await find_trial(connection, session_id, key, options.prompted_model)
    if paid is not None:
        return paid
    options.require_model()
    return await _pay(_with_hint(await resolve_session(domain, session_id, options), hint), options)
