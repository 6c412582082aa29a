"""Looks at a live rollout and carries out what is decided, once over all servers.

A look reads what was seen and decides in one transaction that holds the rollout's row. A server
that stops in the middle leaves the rollout as it was, and the next look, by any server, goes on
from there. Servers look after requests and feedback, a few seconds apart; no answer waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.releases import activate_release, fetch_release
from ..knowledge.rollouts.exposure_owners import owners_of
from ..knowledge.rollouts.exposures import exposure_sources, exposure_sums
from ..knowledge.rollouts.rollouts import Change, Rollout, change_rollout, claim_rollout, note_look
from ..policies.rollout.confidence import Moments, Stratum
from ..policies.rollout.decision import Action, Verdict
from ..policies.rollout.evidence import Evidence, StepEvidence
from ..policies.rollout.owners import Owned, decide_without_one
from ..policies.rollout.plan import Plan
from ..runtime.options import RunOptions
from ..runtime.services import Services
from .served_policy import misfit_of

_log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two checks of a rollout, over all servers; more if a check takes long."""
_PART = 20
"""The pause after a check is at least this many times as long as the check."""

_KINDS = {
    Action.STEP: "step",
    Action.PROMOTE: "promoted",
    Action.HOLD: "held",
    Action.TAKE_BACK: "taken_back",
}
_SUMS = ("people", "n", "total", "n_squares", "squares", "cross")
_PAIRS = ("people", "exposures", "waiting", "silent", "late", "none_picked")


def look_soon(services: Services, rollout_id: int) -> None:
    """Have a rollout looked at in the background, unless that was done just now."""
    now = monotonic()
    if now < services.looks.get(rollout_id, 0.0):
        return
    services.looks[rollout_id] = now + _pause(services, rollout_id)
    services.watching.send(f"rollout {rollout_id}", partial(look, services, rollout_id))


async def look(
    services: Services, rollout_id: int, *, pause: float | None = None
) -> Verdict | None:
    """Decide on a rollout, and carry it out.

    Args:
        pause: Seconds that must have passed since the last look, by any server; `None` takes as
            many as the last look of this one makes do.

    Returns:
        What was decided; `None` if it is not live, another server is at it, or it is too soon.
    """
    wait = _pause(services, rollout_id) if pause is None else pause
    async with services.engine.begin() as connection:
        rollout = await claim_rollout(connection, rollout_id, pause=wait)
        if rollout is None:
            return None
        began = monotonic()
        plan = Plan.from_dict(dict(rollout.plan))
        seen = await seen_by_owners(connection, rollout, services.settings.source_share)
        verdict, owner = decide_without_one(plan, seen, held=rollout.state == "held")
        services.look_times[rollout_id] = monotonic() - began
        await note_look(connection, rollout.id)
        kind = _KINDS.get(verdict.action)
        if kind is not None:
            change = Change(kind, verdict.reason, verdict.words, verdict.figures)
            await change_rollout(connection, rollout, change)
        if verdict.action is Action.PROMOTE:
            await activate_release(connection, rollout.domain_id, rollout.release, force=True)
    if kind is not None:
        _tell(rollout, kind, verdict)
    if owner is not None and owner != services.deciding_owners.get(rollout.id):
        _log.warning(
            "rollout %d of release %d waits: without the requests of %r it is not decided. If "
            "you trust them, give a key of theirs the right to learn; else revoke their keys.",
            *(rollout.number, rollout.release, owner),
        )
        services.deciding_owners[rollout.id] = owner
    return verdict


def _pause(services: Services, rollout_id: int) -> float:
    """Return the seconds between two looks: each sums up all exposures so far."""
    return max(LOOK_EVERY, _PART * services.look_times.get(rollout_id, 0.0))


async def misfit_words(
    connection: AsyncConnection, rollout: Rollout, options: RunOptions
) -> str | None:
    """Return why no request of a run belongs to a rollout; `None` if it may."""
    number = rollout.release
    release = await fetch_release(connection, rollout.domain_id, number)
    misfit = misfit_of(number, release, options.prompted_model)
    if misfit is None:
        return None
    return f"{misfit.problem} Requests as they are set here now do not belong to its rollout."


async def seen_by_owners(connection: AsyncConnection, rollout: Rollout, share: float) -> Owned:
    """Return what a rollout has seen up to its present step, by whose keys it came with.

    Args:
        share: The part of all that may come with one key; 1 trusts every owner.
    """
    window = float(rollout.plan["window"])
    sources = await exposure_sources(connection, rollout.id)
    owners = await owners_of(connection, rollout.domain_id, sources)
    if share >= 1:
        owners = dict.fromkeys(sources)
    rows = await exposure_sums(connection, rollout.id, window, owners)
    found: dict[str | None, Evidence] = {}
    for owner in {None, *owners.values()}:
        arms = {(row["step"], row["canary"]): row for row in rows if row["owner"] == owner}
        found[owner] = Evidence(
            [
                _step(arms.get((step, False)), arms.get((step, True)))
                for step in range(rollout.step + 1)
            ]
        )
    trusted = found.pop(None)
    return Owned(trusted, {owner: seen for owner, seen in found.items() if owner is not None})


def _step(control: Mapping[str, Any] | None, canary: Mapping[str, Any] | None) -> StepEvidence:
    arms = control, canary
    failures = _moments(control, "failures") + _moments(canary, "failures")
    pairs = {name: _pair(arms, name) for name in _PAIRS}
    return StepEvidence(
        **pairs,
        differ=sum(_pair(arms, "differ")),
        reward=_stratum(arms, "reward"),
        answered=_stratum(arms, "answered"),
        fallbacks=_stratum(arms, "fallbacks"),
        latency=_stratum(arms, "latency"),
        cost=_stratum(arms, "cost"),
        failures=failures,
    )


def _pair(arms: Sequence[Mapping[str, Any] | None], name: str) -> tuple[int, int]:
    control, canary = (0 if arm is None else int(arm[name]) for arm in arms)
    return control, canary


def _stratum(arms: Sequence[Mapping[str, Any] | None], metric: str) -> Stratum:
    control, canary = (_moments(arm, metric) for arm in arms)
    return control, canary


def _moments(arm: Mapping[str, Any] | None, metric: str) -> Moments:
    if arm is None:
        return Moments()
    people, *sums = (arm[f"{metric}_{name}"] for name in _SUMS)
    return Moments(int(people), *map(float, sums))


def _tell(rollout: Rollout, kind: str, verdict: Verdict) -> None:
    serious = verdict.action in {Action.HOLD, Action.TAKE_BACK}
    _log.log(
        logging.WARNING if serious else logging.INFO,
        "rollout %d of release %d: %s (%s). %s",
        rollout.number,
        rollout.release,
        kind,
        verdict.reason,
        verdict.words,
    )
