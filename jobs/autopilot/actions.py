"""Begins what an autopilot has decided to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...knowledge.rollouts.rollouts import stop_live_rollout
from ...knowledge.sessions.training_sessions import newest_sessions
from ...operations.database import in_domain
from ...operations.learning.observe_picks import observe_picks, settle_picks
from ...operations.releases.rollouts import start_canary
from ...operations.sessions.enough import FEWEST_TO_TRAIN
from ...policies.autopilot.decision import Action, Decision, Observation
from ...policies.autopilot.plan import AutopilotPlan
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..kinds.registry import JobKind
from ..queue.submit import Origin, submit


async def begin(
    decision: Decision,
    seen: Observation,
    plan: AutopilotPlan,
    context: Context,
    *,
    key_id: str | None = None,
) -> tuple[Decision, str | None]:
    """Begin a step.

    Args:
        decision: What to do.
        seen: What it rests on.
        plan: The autopilot's plan.
        context: The run's options.
        key_id: The API key that the autopilot works for.

    Returns:
        The decision, which is to wait if there turns out to be too little to work on, and the id
        of the job that was submitted.

    Raises:
        Re2llmError: The step cannot be begun.
    """
    options = await resolve_context(context)
    arguments: Mapping[str, Any] | Decision = {}
    match decision.action:
        case Action.WAIT | Action.HOLD:
            return decision, None
        case Action.ROLL_OUT:
            if seen.candidate is not None:
                await start_canary(context, seen.candidate, plan=plan.canary)
            return decision, None
        case Action.STOP_ROLLOUT:
            async with in_domain(options, write=True) as (connection, domain):
                await stop_live_rollout(connection, domain.id, decision.reason, decision.words)
            return decision, None
        case Action.LEARN:
            arguments = await _to_learn(options)
        case Action.TRAIN:
            arguments = await _to_train(options)
        case Action.TIDY:
            pass
    if isinstance(arguments, Decision):
        return arguments, None
    kind, limits = cast("JobKind", decision.action.value), decision.limits(seen)
    origin = Origin(autopilot=True, key_id=key_id)
    made = await submit(context, kind, arguments, **limits, origin=origin)
    return decision, made.id


async def _to_learn(options: RunOptions) -> Mapping[str, Any] | Decision:
    observed = await observe_picks(options)
    await settle_picks(options, observed.settled)
    if not observed.misses:
        words = "The new misses name items that the catalogue has lost."
        return Decision(Action.WAIT, "misses", words)
    return {
        "keys": sorted(set(observed.misses.values())),
        # They are settled as they are learned from: what the job leaves, another one learns.
        "misses": {str(made): key for made, key in observed.misses.items()},
        "max_hints": options.settings.hints_max,
    }


async def _to_train(options: RunOptions) -> Mapping[str, Any] | Decision:
    await settle_picks(options, (await observe_picks(options)).settled)
    settings = options.settings
    async with in_domain(options) as (connection, found):
        keys = await newest_sessions(
            connection, found.id, settings.train_sessions, settings.source_share
        )
    if len(keys) < FEWEST_TO_TRAIN:
        words = f"Training sessions: {len(keys)} of {FEWEST_TO_TRAIN}."
        return Decision(Action.WAIT, "sessions", words)
    return {"keys": keys, "activate": False}
