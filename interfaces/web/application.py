"""All pages of the console."""

from __future__ import annotations

from starlette.routing import BaseRoute

from . import (
    autopilot,
    catalogue,
    costs,
    files,
    hint_changes,
    hint_tries,
    hints,
    imports,
    jobs,
    overview,
    release_diff,
    releases,
    rollouts,
    signing_in,
    slashes,
    trying,
)

_ROUTERS = (
    *(files, signing_in, overview, trying, hint_changes, hint_tries, hints),
    *(releases, release_diff, rollouts, autopilot, jobs, imports, catalogue, costs, slashes),
)


def page_routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    return [route for module in _ROUTERS for route in module.router.routes]
