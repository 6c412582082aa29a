"""The autopilot's section of the page of releases: on, off, and on again after a hold."""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import InputError
from ...operations.autopilot.manage import resume_autopilot, show_autopilot
from ...runtime.request_limits import DomainName
from ..api.callers import require_right
from ..api.jobs import jobs_module, require_start
from .browsers import PREFIX
from .pilot_form import OnForm, PilotForm, note, read_plan
from .releases import SECTION, releases_shown
from .rendering import see
from .routing import form_of, page_router
from .visits import visit

router = page_router()


class AutopilotForm(BaseModel):
    """What to do with a domain's autopilot."""

    domain: DomainName
    change: Literal["resume", "off"]


@router.post(PREFIX + SECTION + ":autopilot")
async def autopilot_route(request: Request) -> Response:
    """Let a held autopilot go on, or turn it off."""
    form = form_of(request, AutopilotForm)
    if form.change == "resume":
        require_start(request)
    else:
        require_right(request, "learn")
    seen = await visit(request, form.domain)
    if form.change == "resume":
        await resume_autopilot(seen.context)
    else:
        await (await jobs_module("autopilot.switch")).turn_off(seen.context)
    return see(request, SECTION, {"domain": seen.domain}, done=f"autopilot-{form.change}")


@router.post(PREFIX + SECTION + ":autopilot-on")
async def on_route(request: Request) -> Response:
    """Turn an autopilot on, or give it another plan; errors are shown next to their fields."""
    require_start(request)
    form = form_of(request, OnForm)
    seen = await visit(request, form.domain)
    stored = (await show_autopilot(seen.context, most=1)).plan
    plan, wrong = read_plan(form, stored)
    if plan is not None:
        switch = await jobs_module("autopilot.switch")
        try:
            await switch.turn_on(seen.context, plan, cron=form.cron.strip() or None)
        except InputError as error:
            note(wrong, error)
        else:
            return see(request, SECTION, {"domain": seen.domain}, done="autopilot-on")
    return await releases_shown(seen, PilotForm.refused(form, wrong))
