"""Stores a trained policy as a release, and activates it unless it is worse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from ...knowledge.fusions import store_fusions
from ...knowledge.hint_store.hints import Hint
from ...knowledge.jobs.jobs import hold_running
from ...knowledge.releases import (
    RELEASE,
    Release,
    activate_release,
    refuse_loss,
    release_of_job,
    store_release,
)
from ...knowledge.trained_hints import TrainedHints
from ...llm.embedding.encoder import ENCODER_ID
from ...policies.recipes import PolicyRecipe, TrainingConfig
from ...policies.training import Trained
from ...policies.weights import dump_policy
from ...ranking.hints.stats import update_stats
from ...ranking.policy_inputs import hint_set_version
from ...runtime.options import RunOptions
from ..database import in_domain

NOT_ASKED_FOR = "It was asked for without activating it."
"""Why a release is not active against which nothing is known."""


def release_of(
    trained: Trained,
    recipe: PolicyRecipe,
    config: TrainingConfig,
    metrics: Mapping[str, Any],
    hints: Sequence[Hint],
    options: RunOptions,
    *,
    seconds: float,
    left_out: Sequence[int] | None = None,
) -> Release:
    """Return the release of a trained policy, with all that it must be served with.

    Args:
        metrics: The metrics of the training; its learning curve is added.
        hints: The hints in the order of the actions that it was trained on.
        seconds: What the training has taken: what became active since its start is new.
        left_out: Other hints that were active, if not all hints were tried; see `TrainedHints`.
    """
    choice = {} if left_out is None else {"hints": TrainedHints.of(hints, left_out).as_dict()}
    weights, shape = dump_policy(trained.policy)
    curve = [
        {
            # JSON has no NaN.
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in point._asdict().items()
        }
        for point in trained.curve
    ]
    return Release(
        recipe=recipe,
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=options.prompt_version,
        model=options.model,
        hint_set=hint_set_version(hints),
        hint_ids=[hint.id for hint in hints],
        config={
            "policy": shape,
            "training": config.as_dict(),
            "seconds": round(seconds, 1),
            **choice,
            **_made_by(options),
        },
        metrics={**metrics, "curve": curve},
    )


def _made_by(options: RunOptions) -> dict[str, str]:
    return {} if options.job is None else {"job": options.job}


async def store_and_activate(
    release: Release,
    options: RunOptions,
    *,
    force: bool,
    activate: bool = True,
    against: str = "",
) -> tuple[int, str]:
    """Store a release and activate it; a job that was killed here finds what it had stored.

    Args:
        release: A release from `release_of`.
        force: Activate it even if it is worse than the active one.
        activate: Whether to activate it, if nothing speaks against it.
        against: What speaks against it, beyond the active one; empty if nothing does.

    Returns:
        Its number, and why it is not active; empty if it is. What speaks against it comes first.

    Raises:
        BudgetSpentError: The run is a job that was stopped meanwhile.
    """
    async with in_domain(options, write=True) as (connection, domain):
        await hold_running(connection, options.job)
        await update_stats(connection, domain.id, options)  # training has tried the hints, too
        job = options.job
        known = None if job is None else await release_of_job(connection, domain.id, job)
        number = known or await store_release(connection, domain.id, release)
        weight = release.metrics.get("fusion", {}).get("ppo")
        if weight is not None:
            weights = {f"{RELEASE}{number}": weight}
            await store_fusions(connection, domain.id, release.prompted_model, weights)
    if not activate:
        against = against or await _loss(number, release, options)
        return number, f"{against} {NOT_ASKED_FOR}".lstrip()
    if against:
        return number, against
    try:
        async with in_domain(options, write=True) as (connection, domain):
            await hold_running(connection, options.job)
            await activate_release(connection, domain.id, number, force=force)
    except InputError as error:
        return number, f"{error.problem} {error.remedy}"
    return number, ""


async def _loss(number: int, release: Release, options: RunOptions) -> str:
    """Say how much less a release gains than the active one; else empty."""
    async with in_domain(options) as (connection, domain):
        try:
            await refuse_loss(connection, domain.id, number, release)
        except InputError as error:
            return f"{error.problem} {error.remedy}"
    return ""
