"""Every route of the console, and what to ask of each so that it shows or changes something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from re2llm.interfaces.web.application import page_routes

FILES = {"/console/catalogue:upload": {"file": ("items.jsonl", b'{"id": 1, "title": "One"}')}}
"""Which forms hold a file, and what it is."""
OPEN = {"/console/sign-in", "/console/static/{name}"}
ANYWHERE = {"/console/sign-out", "/console/", "/console/catalogue/", "/console/{path:path}/"}
"""What is about no catalogue."""


@dataclass(frozen=True)
class Victim:
    """Another owner's catalogue, and what stands in it."""

    domain: str
    hint: int
    item: str
    job: str
    recommendation: str
    schedule: str


def every_route() -> list[tuple[str, str]]:
    """Return the method and the path of each route."""
    found = [
        (method, route.path)
        for route in page_routes()
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    assert len(found) == len(set(found))
    assert len(found) >= 24
    return found


def filled(path: str, victim: Victim) -> str:
    """Fill a path in with what is the victim's."""
    values = {
        "hint": str(victim.hint),
        "item": victim.item,
        "job": victim.job,
        "release": "1",
        "name": "console.css",
        "path": "hints",
    }
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: values[found[1]], path)


def posted(victim: Victim, domain: str) -> dict[str, dict[str, Any]]:
    """Return what each form sends, about a catalogue."""
    where = {"domain": domain}
    return {
        "/console/sign-in": {"key": "re2llm_0_wrong"},
        "/console/sign-out": {"all": "no"},
        "/console/hints:change": {**where, "hints": victim.hint, "change": "retire"},
        "/console/hints:add": {**where, "text": "Prefer what is new."},
        "/console/hints/{hint}/edit": {**where, "text": "Prefer what is newer."},
        "/console/hints:try": {**where, "text": "Prefer what is new.", "sessions": 2},
        "/console/hints/{hint}/try": {**where, "sessions": 2},
        "/console/try": {**where, "history": victim.item},
        "/console/try/feedback": {**where, "recommendation": victim.recommendation},
        "/console/releases/{release}/evaluate": where,
        "/console/releases/{release}/compare": {**where, "other": 1},
        "/console/releases/{release}/activate": where,
        "/console/releases/{release}/canary": where,
        "/console/releases:stop-canary": {**where, "release": 1},
        "/console/releases:promote-canary": {**where, "release": 1},
        "/console/releases:rollback": where,
        "/console/releases:autopilot": {**where, "change": "off"},
        "/console/releases:autopilot-on": {**where, "calls_per_day": "100"},
        "/console/catalogue:upload": {**where, "kind": "items"},
        "/console/catalogue:import": {**where, "upload": "0" * 32, "change": "load"},
        "/console/jobs/{job}/change": {**where, "change": "pause"},
        "/console/jobs:submit": {**where, "kind": "verify"},
        "/console/jobs:unschedule": {**where, "name": victim.schedule},
    }
