"""Tries hints on training sessions, through the same code as production."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..errors import InputError, ModelDownError, failure_among
from ..knowledge.domains import find_domain
from ..knowledge.hints import hint_key
from ..knowledge.training_sessions import fetch_session
from ..knowledge.trials import Trial, find_trial
from ..nodes.check import settle_ranking
from ..nodes.prepare import gather
from ..nodes.recommend import request_ranking
from ..runtime.options import RunOptions
from .state import RecommendState

_CONFIDENT = 1.645
"""Normal quantile of a two-sided 90 % interval."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a hint brought on some sessions.

    Attributes:
        sessions: How many it was tried on.
        mean: Mean gain in NDCG@10.
        low: Lower end of the gain's 90 % interval.
        high: Upper end.
        helped: Sessions with a gain.
        harmed: Sessions with a loss.
    """

    sessions: int
    mean: float
    low: float
    high: float
    helped: int
    harmed: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the figures, for state and database."""
        return {
            "sessions": self.sessions,
            "mean": round(self.mean, 4),
            "ci90": cast("Any", [round(self.low, 4), round(self.high, 4)]),
            "helped": self.helped,
            "harmed": self.harmed,
        }


def verification(gains: Sequence[float]) -> Verification:
    """Summarise gains.

    Args:
        gains: NDCG@10 with the hint minus without it, one a session.
    """
    values = np.array(gains, dtype=np.float64)
    if not len(values):
        return Verification(0, 0.0, 0.0, 0.0, 0, 0)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0
    return Verification(
        len(values),
        mean,
        mean - _CONFIDENT * error,
        mean + _CONFIDENT * error,
        int((values > 0).sum()),
        int((values < 0).sum()),
    )


async def resolve_session(domain: str, session_id: int, options: RunOptions) -> RecommendState:
    """Return a training session as `prepare` would hand it on, for any number of trials.

    It is the same for all who ask, until sessions or items change.

    Args:
        domain: The catalogue's name.
        session_id: Key of the training session.
        options: The run's options.
    """
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        settings = options.settings
        key = (
            *(found.id, found.revision, session_id, options.model, options.seed, options.order),
            *(settings.candidates, settings.prompt_history),
        )
        known = options.services.resolved.get(key)
        if known is not None:
            return known
        session = await fetch_session(connection, found.id, session_id)
        request: dict[str, Any] = {
            "history": list(session.history),
            "target": session.target,
            "candidates": list(session.candidates) if session.candidates else None,
            "training_session": session_id,
        }
        request.update(await gather(connection, found, cast("RecommendState", request), options))
    state = cast("RecommendState", request)
    options.services.resolved.put(key, state)
    return state


async def try_hint(state: RecommendState, hint: str | None, options: RunOptions) -> Trial:
    """Rank a resolved training session with a hint or without, unless that was paid already.

    Args:
        state: From `resolve_session`; stays as it is.
        hint: The hint's text, or `None`.
        options: The run's options.

    Raises:
        ModelDownError: The model gave no answer.
        BudgetSpentError: No further call may be paid.
    """
    given = {"id": None, "text": hint, "policy": "trial", "probability": 1.0}
    tried = cast("RecommendState", {**state, "hint": given})
    tried = cast("RecommendState", {**tried, **await request_ranking(tried, options)})
    settled = await settle_ranking(tried, options)
    if "model_failed" in settled["flags"]:
        raise ModelDownError(options.model, failure_among(settled["flags"]))
    session_id = state.get("training_session") or 0
    rank, answer = settled["rank"], settled["answer"]
    return Trial(session_id, hint_key(hint), options.model, options.prompt_version, rank, answer)


async def run_trial(domain: str, session_id: int, hint: str | None, options: RunOptions) -> Trial:
    """Rank a training session with a hint or without, unless that was paid already.

    Args:
        domain: The catalogue's name.
        session_id: Key of the training session.
        hint: The hint's text, or `None`.
        options: The run's options.

    Raises:
        ModelDownError: The model gave no answer.
        BudgetSpentError: No further call may be paid.
    """
    async with options.services.engine.connect() as connection:
        key = hint_key(hint)
        paid = await find_trial(connection, session_id, key, options.model, options.prompt_version)
    if paid is not None:
        return paid
    return await try_hint(await resolve_session(domain, session_id, options), hint, options)


async def gain_of(domain: str, session_id: int, hint: str, options: RunOptions) -> float:
    """Return a hint's gain in NDCG@10 on one training session.

    Args:
        domain: The catalogue's name.
        session_id: Key of the training session.
        hint: The hint's text.
        options: The run's options.
    """
    state = await resolve_session(domain, session_id, options)
    without = await try_hint(state, None, options)
    return (await try_hint(state, hint, options)).ndcg - without.ndcg


def random_sessions(keys: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw the sessions on which hints are tried.

    A smaller draw is the start of a larger one, and a session added later pushes none out but the
    last: so trials stay shared.

    Args:
        keys: Of training sessions, in the order they were loaded.
        count: How many to draw.
        seed: Of the draw.
    """

    def place(key: int) -> bytes:
        return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()

    return sorted(keys, key=place)[:count]


async def panel(
    domain: str, state: Mapping[str, Any], options: RunOptions
) -> tuple[list[int], list[int]]:
    """Return the *other* training sessions on which a hint is tried.

    The random ones are the same for every hint of a seed, which makes hints comparable and their
    rankings without a hint paid once.

    Args:
        domain: The catalogue's name.
        state: With the training session and its history.
        options: The run's options.

    Returns:
        Random sessions and then near ones; and further random ones, for a hint in doubt.
    """
    own = state["training_session"]
    settings = options.settings
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        index = await options.services.evidence(connection, found)
    if index is None or own is None:
        raise InputError("domain", "It has no training sessions.", "Load some.")
    few = settings.verify_random
    drawn = random_sessions(index.keys, few * settings.verify_doubtful, settings.seed)
    near = index.neighbours(state["history"], leave_out=own, count=settings.verify_near)
    first = dict.fromkeys(key for key in [*drawn[:few], *near] if key != own)
    return list(first), [key for key in drawn[few:] if key != own and key not in first]
