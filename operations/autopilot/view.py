"""What an autopilot sees of its domain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.autopilot.autopilots import Autopilot
from ...knowledge.autopilot.counted_rewards import count_rewards
from ...knowledge.autopilot.days import room_of_day
from ...knowledge.autopilot.jobs import last_release_begun, last_step, last_training
from ...knowledge.hint_store.hints import count_kept
from ...knowledge.jobs.jobs import Job
from ...knowledge.log.live_picks import count_new, fresh_hints
from ...knowledge.prompted_model import PromptedModel
from ...knowledge.releases import list_releases, was_served
from ...knowledge.rollouts.exposures import seen_within
from ...knowledge.rollouts.rollouts import Rollout, latest_rollout, rollout_events
from ...policies.autopilot.decision import MISFIT, LastJob, LiveRollout, Observation
from ...policies.autopilot.drift import RewardDrift, moments, reward_drift
from ...policies.rollout.confidence import Moments
from ...policies.rollout.owners import decide_without_one
from ...policies.rollout.plan import Plan
from ...ranking.rollouts import misfit_words, seen_by_owners
from ...runtime.options import RunOptions
from ..sessions.enough import too_few_calls

_QUIET = dt.timedelta(days=1)
"""How long a rollout for another model may go without a request before it is ended. The servers'
model may differ from this process's, and an end cannot be undone. A day, since nights are quiet."""


async def observe(
    connection: AsyncConnection, autopilot: Autopilot, options: RunOptions
) -> Observation:
    """Return what an autopilot needs to know for its next decision."""
    domain = autopilot.domain_id
    left = await room_of_day(connection, domain)
    trained = await last_training(connection, domain, "done")
    # What a person has cancelled waits for something newer.
    ended = await last_training(connection, domain, "done", "cancelled")
    begun = await last_release_begun(connection, domain, options.prompted_model)
    since = max(filter(None, (begun, ended and ended.created_at)), default=None)
    rollout = await latest_rollout(connection, domain)
    misses, picks = await count_new(connection, domain, options.model, since)
    return Observation(
        reward=await live_reward_drift(connection, autopilot, options),
        rollout=await _live(connection, rollout, options),
        job=_counted(await last_step(connection, domain), autopilot.since),
        candidate=await _candidate(connection, domain, trained, options),
        misses=misses,
        picks=picks,
        fresh=await fresh_hints(connection, domain, since),
        hints=await count_kept(connection, domain),
        most_hints=options.settings.hints_max,
        cost_left=left.usd,
        llm_calls_left=left.calls,
    )


async def live_reward_drift(
    connection: AsyncConnection, autopilot: Autopilot, options: RunOptions
) -> RewardDrift:
    """Compare live reward with that just after the serving release was promoted."""
    counted = await count_rewards(connection, autopilot, options.model)
    reference, *later = [moments(*block) for block in counted.blocks] or [Moments()]
    return reward_drift(reference, later, counted.size)


def _counted(job: Job | None, since: dt.datetime) -> LastJob | None:
    """Return the last step, unless it failed before a person looked."""
    if job is None:
        return None
    if job.state == "failed" and job.ended_at is not None and job.ended_at < since:
        return None
    return LastJob(job.id, job.kind, job.state, job.reason)


async def _live(
    connection: AsyncConnection, rollout: Rollout | None, options: RunOptions
) -> LiveRollout | None:
    if rollout is None or not rollout.live:
        return None
    if rollout.state == "held":
        last = (await rollout_events(connection, rollout.id))[-1]
        return LiveRollout(rollout.release, rollout.percent, last["reason"], last["words"])
    misfit = await misfit_words(connection, rollout, options)
    if misfit is not None:
        held = "" if await seen_within(connection, rollout.id, _QUIET) else MISFIT
        return LiveRollout(rollout.release, rollout.percent, held, misfit)
    plan = Plan.from_dict(dict(rollout.plan))
    seen = await seen_by_owners(connection, rollout, options.settings.source_share)
    verdict, _ = decide_without_one(plan, seen)
    return LiveRollout(rollout.release, rollout.percent, "", verdict.words)


async def _candidate(
    connection: AsyncConnection,
    domain: int,
    trained: Job | None,
    options: RunOptions,
) -> int | None:
    """Return the newest release, if the autopilot trained it and it was never served.

    People get none that training itself would not have activated, and none that was taken back.
    """
    releases = await list_releases(connection, domain)
    if trained is None or trained.result is None or not releases:
        return None
    newest = releases[-1]
    its = trained.result.get("release") == newest["id"]
    if not (its and _fits(newest, options)) or await was_served(connection, domain, newest["id"]):
        return None
    metrics = newest["metrics"]
    if metrics["gain"] <= 0 or metrics.get("worse"):
        return None
    if metrics.get("stopped") == "limit" and too_few_calls(metrics):
        return None
    active = next((one for one in releases if one["status"] == "active"), None)
    if active is None or not _fits(active, options):
        return newest["id"]
    return newest["id"] if metrics["gain"] >= active["metrics"]["gain"] else None


def _fits(release: Mapping[str, Any], options: RunOptions) -> bool:
    """Return whether a release is of the present model and prompt, so that it can serve."""
    trained_for = PromptedModel(release["model"], release["prompt_version"])
    return trained_for == options.prompted_model
