"""Rolls a release out step by step: starts, shows, promotes and stops a canary."""

from __future__ import annotations

import shlex

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge import releases as stored
from ...knowledge.domains import Domain
from ...knowledge.rollouts.rollouts import (
    Change,
    Rollout,
    change_rollout,
    claim_live_rollout,
    latest_rollout,
    rollout_events,
    start_rollout,
    stop_live_rollout,
)
from ...knowledge.served import active_release_number
from ...policies.rollout.evidence import Evidence
from ...policies.rollout.owners import decide_without_one
from ...policies.rollout.plan import Plan
from ...ranking.rollouts import misfit_words, seen_by_owners
from ...ranking.served_policy import load_release
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import in_domain
from ..done_by import done_by
from .rollout_results import ArmCounts, RolloutEvent, RolloutShown


class NoRolloutError(InputError):
    """No release was ever rolled out in a domain."""


class ServesAllError(InputError):
    """A rollout cannot be stopped any more, since everybody gets its release by now."""


async def start_canary(
    context: Context, release: int, *, domain: str | None = None, plan: Plan | None = None
) -> RolloutShown:
    """Serve a release to a part of all people, and let it go on by itself if it proves itself.

    Args:
        context: The run's options; the release must fit their model and prompt.
        release: Its number; it may not be the active one.
        domain: Its name; `None` takes the context's.
        plan: The steps, and what they need; `None` takes the defaults.

    Raises:
        Re2llmError: There is no such release, it is active, it cannot be served with this model,
            prompt and encoder, or another one is being rolled out.
    """
    options = await resolve_context(context)
    plan = plan or Plan()
    async with in_domain(options, domain, write=True) as (connection, found):
        fetched = await stored.fetch_release(connection, found.id, release)
        # Refuses what cannot be served.
        load_release(release, fetched, options.prompted_model)
        rollout = await start_rollout(
            connection, found.id, release, plan.as_dict(), source=options.source
        )
        words = f"{plan.steps[0]:g} % of people get release {release}."
        await change_rollout(connection, rollout, Change("started", "asked", words, {}))
        return await _shown(connection, found, rollout, options)


async def show_canary(
    context: Context, *, domain: str | None = None, release: int | None = None
) -> RolloutShown:
    """Show how far a rollout is, and what it rests on.

    Args:
        domain: Its name; `None` takes the context's.
        release: The latest rollout of this release; `None` shows the latest of all.

    Raises:
        Re2llmError: There was none.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        return await _latest(connection, found, options, release)


async def stop_canary(
    context: Context, *, domain: str | None = None, release: int | None = None
) -> RolloutShown:
    """Stop the live rollout: the next request is served by the active release.

    If none is live any more, nothing changes, and the latest is shown, unless everybody gets its
    release by now.

    Args:
        domain: Its name; `None` takes the context's.
        release: The one whose rollout is meant; `None` is whichever is live.

    Raises:
        NoRolloutError: There was none.
        ServesAllError: Its release was promoted or activated meanwhile, and is active.
        Re2llmError: There is no such domain, or another release is being rolled out.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        words = done_by(options, "stopped")
        if await stop_live_rollout(connection, found.id, "asked", words, release=release) is None:
            await _refuse_if_active(connection, found, release)
        return await _latest(connection, found, options, release)


async def promote_canary(
    context: Context, *, domain: str | None = None, release: int | None = None
) -> RolloutShown:
    """Activate the release of the live rollout, whatever its figures: a person has decided.

    Args:
        domain: Its name; `None` takes the context's.
        release: The one that is meant; `None` is whichever is being rolled out.

    Raises:
        Re2llmError: None is live, or another release is being rolled out.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        rollout = await claim_live_rollout(connection, found.id, release=release)
        if rollout is None:
            raise _none(found, live=True)
        change = Change("promoted", "asked", done_by(options, "promoted"), {})
        await change_rollout(connection, rollout, change)
        await stored.activate_release(connection, found.id, rollout.release, force=True)
        return await _latest(connection, found, options, rollout.release)


def _none(domain: Domain, field: str = "domain", *, live: bool = False) -> InputError:
    there = "No release is being" if live else "No release was"
    return (InputError if live else NoRolloutError)(
        field,
        f"{there} rolled out in domain {domain.name!r}.",
        "Start with: re2llm policy canary RELEASE",
    )


async def _refuse_if_active(
    connection: AsyncConnection, domain: Domain, release: int | None
) -> None:
    """Refuse to stop a rollout that has ended with its release active: it would seem stopped."""
    rollout = await latest_rollout(connection, domain.id, release=release)
    if rollout is None or rollout.release != await active_release_number(connection, domain.id):
        return
    named = shlex.quote(domain.name)
    remedy = f"`re2llm policy rollback --domain {named}` takes it back."
    if await stored.previous_release_number(connection, domain.id) is None:
        remedy = f"No other was active before; `re2llm policy list --domain {named}` shows all."
    done = "promoted" if rollout.state == "promoted" else "activated"
    raise ServesAllError(
        "release",
        f"Release {rollout.release} was {done}, and serves everybody now. Nothing was stopped.",
        remedy,
    )


async def _latest(
    connection: AsyncConnection, domain: Domain, options: RunOptions, release: int | None
) -> RolloutShown:
    rollout = await latest_rollout(connection, domain.id, release=release)
    if rollout is None:
        raise _none(domain, "domain" if release is None else "release")
    return await _shown(connection, domain, rollout, options)


async def _shown(
    connection: AsyncConnection, domain: Domain, rollout: Rollout, options: RunOptions
) -> RolloutShown:
    events = [
        RolloutEvent.model_validate(event) for event in await rollout_events(connection, rollout.id)
    ]
    seen = await seen_by_owners(connection, rollout, options.settings.source_share)
    evidence, plan = seen.whole, Plan.from_dict(dict(rollout.plan))
    verdict, _ = decide_without_one(plan, seen, held=rollout.state == "held")
    last = events[-1]
    waits = rollout.state == "running"
    misfit = await misfit_words(connection, rollout, options) if waits else None
    waiting_for = " ".join(filter(None, (misfit, verdict.words)))
    # A purge leaves less than it was held with.
    told_last = not rollout.live or last.reason == "purged"
    return RolloutShown(
        domain=domain.name,
        number=rollout.number,
        release=rollout.release,
        control=rollout.control,
        state=rollout.state,
        percent=last.percent,
        reason=verdict.reason if waits else last.reason,
        words=waiting_for if waits else last.words,
        plan=dict(rollout.plan),
        figures=last.figures if last.figures and told_last else verdict.figures,
        differ=sum(step.differ for step in evidence.steps),
        control_counts=_counts(evidence, 0),
        canary_counts=_counts(evidence, 1),
        events=events,
    )


def _counts(evidence: Evidence, arm: int) -> ArmCounts:
    steps = evidence.steps
    exposures = sum(step.exposures[arm] for step in steps)
    waiting = sum(step.waiting[arm] for step in steps)
    silent = sum(step.silent[arm] for step in steps)
    return ArmCounts(
        people=steps[-1].people[arm],
        exposures=exposures,
        answered=exposures - waiting - silent,
        none_picked=sum(step.none_picked[arm] for step in steps),
        waiting=waiting,
        silent=silent,
        late=sum(step.late[arm] for step in steps),
    )
