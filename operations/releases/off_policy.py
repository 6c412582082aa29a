"""Replays the log of recommendations with the choices of a release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ...evaluation.off_policy import OffPolicyReport, differs_in_weight, report, require_log
from ...evaluation.reward_model import Shares
from ...knowledge.domains import Domain
from ...knowledge.log.feedback import Decision, logged_decisions
from ...knowledge.prompted_model import PromptedModel
from ...knowledge.releases import fetch_release
from ...knowledge.sessions.training_sessions import first_keys, picked_session
from ...ranking.gather import gather
from ...ranking.release_hints import release_hints
from ...ranking.served_policy import load_release
from ...ranking.state import RecommendState
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..catalogue.titles import in_catalogue
from ..database import in_domain
from .same_weight import of_same_weight


async def evaluate_release(
    context: Context,
    release: int,
    *,
    domain: str | None = None,
    sampled: bool | None = None,
    progress: Progress = silent,
) -> OffPolicyReport:
    """Estimate what a release would have earned on recommendations that got feedback.

    Args:
        context: The run's options; their model is the one that the release is for.
        release: Its number; it need not be active.
        domain: Its name; `None` takes the context's.
        sampled: Whether it would sample its hints or take the most likely one; `None` takes the
            setting `explore`.
        progress: Called after each decision with the stage `decisions`.

    Raises:
        Re2llmError: There is no such release, or the log says nothing about it.
    """
    options = await resolve_context(context)
    # It reads a long log: of several at a time, one runs.
    async with options.services.one_at_a_time(f"replay {domain or options.domain}".encode()):
        return await _replayed(options, release, domain, sampled, progress)


async def _replayed(
    options: RunOptions,
    release: int,
    domain: str | None,
    sampled: bool | None,
    progress: Progress,
) -> OffPolicyReport:
    drawn = options.settings.explore if sampled is None else sampled
    async with in_domain(options, domain) as (connection, found):
        fetched = await fetch_release(connection, found.id, release)
        served = load_release(release, fetched, options.prompted_model)
        everything = await logged_decisions(connection, found.id)
        by = served.release.prompted_model
        fitting = [one for one in everything if PromptedModel(one.model, one.prompt_version) == by]
        tried = [one for one in fitting if 0 < one.probability < 1]
        used, weight = await of_same_weight(connection, tried, release, options, found)
        require_log(found.name, everything, fitting, tried)
        if not used:
            raise differs_in_weight(release, weight.weight, len(tried))
        own = await _own_sessions(connection, found, used)
    shares: list[Shares] = []
    targets: list[float] = []
    async with in_catalogue(options, found):
        for decision, known in zip(used, own, strict=True):
            # The evidence of its own session would reveal what was picked.
            asked = {
                "history": list(decision.history),
                "candidates": list(decision.candidates),
                "training_session": known,
            }
            state = await gather(found, cast("RecommendState", asked), options)
            full = cast("RecommendState", state)
            async with in_domain(options, found.name) as (connection, _):
                hints = await release_hints(served, full, options, connection)
            most = options.settings.max_hints
            targets.append(
                served.likelihood(full, hints, decision.choice, most=most, sampled=drawn)
            )
            shares.append(served.choice_probabilities(full, hints, most=most, sampled=drawn))
            progress("decisions", len(shares), len(used))
    return report(
        release,
        used,
        np.array(targets),
        shares,
        sampled=drawn,
        feedback=len(everything),
        certain=len(fitting) - len(tried),
        other_weight=len(tried) - len(used),
        other_model=len(everything) - len(fitting),
        trained_on=sum(known is not None for known in own),
    )


async def _own_sessions(
    connection: AsyncConnection, domain: Domain, decisions: Sequence[Decision]
) -> list[int | None]:
    """Return the training session that feedback on each decision became, if it did."""
    picked = [(one, one.picked) for one in decisions if one.picked is not None]
    sessions = [picked_session(one.history, one.candidates, it) for one, it in picked]
    stored = iter(await first_keys(connection, domain, sessions))
    return [None if one.picked is None else next(stored) for one in decisions]
