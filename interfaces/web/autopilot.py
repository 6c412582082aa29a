"""The autopilot's section of the page of releases: how it stands, and what ends a hold."""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from ...operations.autopilot import resume_autopilot
from ...runtime.request_limits import DomainName
from ..api.callers import require_right
from ..api.jobs import jobs_module, require_start
from .browsers import PREFIX
from .releases import SECTION
from .rendering import see
from .routing import form_of, page_router
from .visits import visit

router = page_router()


class AutopilotForm(BaseModel):
    """What to do with a catalogue's autopilot."""

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
        await (await jobs_module("piloting")).turn_off(seen.context)
    return see(request, SECTION, {"domain": seen.domain}, done=f"autopilot-{form.change}")
