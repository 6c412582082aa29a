"""The releases of the learned hint policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from ...operations.autopilot.manage import show_autopilot
from ...operations.releases.manage import (
    activate_release,
    list_releases,
    rollback_release,
    show_release,
)
from ...operations.releases.off_policy import evaluate_release
from ...operations.releases.results import ListedRelease
from ...operations.releases.rollout_results import RolloutShown
from ...operations.releases.rollouts import show_canary
from ...runtime.request_limits import DomainName, RowKey
from ..api.callers import require_right
from .browsers import PREFIX
from .pictures import Curve, GainPicture, curve, interval_picture
from .pilot_form import PilotForm
from .rendering import see, signed
from .routing import BLANK, form_of, page_router
from .visits import DomainChoice, Visit, visit

SECTION = "/releases"
_DECISIONS = 10
"""The autopilot's decisions that the list shows."""
router = page_router()


class DomainForm(BaseModel):
    """Which catalogue a form is about."""

    domain: DomainName


class ActivateForm(DomainForm):
    """Which release to serve."""

    force: bool = False


class RollbackForm(DomainForm):
    """The release to go back from: the one that the page shows as active."""

    active: Annotated[RowKey | None, BLANK] = None


@router.get(PREFIX + SECTION)
async def releases_page(request: Request, domain: DomainChoice = None) -> Response:
    """List the releases, newest first."""
    return await releases_shown(await visit(request, domain))


async def releases_shown(seen: Visit, pilot: PilotForm | None = None) -> Response:
    """Show the releases and the autopilot.

    Args:
        seen: The context of the page.
        pilot: The form of the autopilot, if it was refused.
    """
    found = (await list_releases(seen.context)).releases[::-1]
    autopilot = await show_autopilot(seen.context, most=_DECISIONS)
    return seen.page(
        "releases.html",
        code=200 if pilot is None else 422,
        releases=found,
        active=next((one.id for one in found if one.status == "active"), None),
        autopilot=autopilot,
        pilot=pilot or PilotForm.of_plan(autopilot.plan),
    )


@router.get(PREFIX + SECTION + "/{release}")
async def release_page(
    request: Request, release: Annotated[RowKey, Path()], domain: DomainChoice = None
) -> Response:
    """Show a release."""
    seen = await visit(request, domain)
    return await _shown(seen, release, None)


@router.post(PREFIX + SECTION + "/{release}/evaluate")
async def evaluate_route(request: Request, release: Annotated[RowKey, Path()]) -> Response:
    """Estimate the reward that a release would have had, which reads all stored feedback."""
    require_right(request, "learn")
    seen = await visit(request, form_of(request, DomainForm).domain)
    report = await evaluate_release(seen.context, release)
    return await _shown(seen, release, report.as_dict())


@router.post(PREFIX + SECTION + "/{release}/activate")
async def activate_route(request: Request, release: Annotated[RowKey, Path()]) -> Response:
    """Serve a release from now on."""
    require_right(request, "learn")
    form = form_of(request, ActivateForm)
    seen = await visit(request, form.domain)
    await activate_release(seen.context, release, force=form.force)
    return see(request, SECTION, {"domain": seen.domain}, done="activated")


@router.post(PREFIX + SECTION + ":rollback")
async def rollback_route(request: Request) -> Response:
    """Go back to the release that was active before."""
    require_right(request, "learn")
    form = form_of(request, RollbackForm)
    seen = await visit(request, form.domain)
    await rollback_release(seen.context, active=form.active)
    return see(request, SECTION, {"domain": seen.domain}, done="rolled-back")


async def _shown(seen: Visit, number: int, report: dict[str, Any] | None) -> Response:
    release = await show_release(seen.context, number)
    known = (await list_releases(seen.context)).releases
    rollout = await show_canary(seen.context, release=number) if release.rollout else None
    return seen.page(
        "release.html",
        release=release,
        other=release_beside(known, number),
        curve=_curve(release),
        report=report,
        rollout=rollout,
        reward=_reward(rollout),
    )


def release_beside(known: Sequence[ListedRelease], number: int) -> int | None:
    """Return the release to compare one with: the one before it, or else the one behind it.

    Args:
        known: All of the domain, oldest first.
    """
    before = [one.id for one in known if one.id < number]
    behind = [one.id for one in known if one.id > number]
    return next(iter([*before[-1:], *behind]), None)


def _reward(rollout: RolloutShown | None) -> GainPicture | None:
    """Return the picture of the difference in reward, on an axis to the effect worth finding."""
    if rollout is None:
        return None
    found = rollout.figures["reward"]
    mean, low, high = found["value"], found["low"], found["high"]
    if mean is None or low is None or high is None:
        return None
    words = f"Difference in reward {signed(mean)}, between {signed(low)} and {signed(high)}"
    return interval_picture(mean, low, high, max(2 * rollout.plan["effect"], -low, high), words)


def _curve(release: ListedRelease) -> Curve | None:
    points: list[dict[str, Any]] = release.metrics.get("curve") or []
    lines = [
        [point.get(name) for point in points] for name in ("validation_reward", "training_reward")
    ]
    return curve([point["update"] for point in points], lines)
