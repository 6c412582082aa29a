"""Counts, times and logs each request; `/metrics`."""

from __future__ import annotations

import asyncio
import logging
import time

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...runtime.caller import Caller
from ..auth import CHECKED
from .metrics import IN_FLIGHT, REQUESTS, SECONDS, exposition
from .strict_routes import strict_router

_log = logging.getLogger("re2llm.requests")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes whose requests are not logged: they come every few seconds."""
_GONE = 499
"""The status in log and metrics of a request without a response; nginx's."""

router = strict_router()


@router.get("/metrics", operation_id="metrics", summary="Metrics for Prometheus")
async def metrics_route() -> Response:
    """Return the metrics of all the server's processes."""
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)


class Observed:
    """Counts, times and logs requests; neither bodies nor keys.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _GONE
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, answer)
        finally:
            IN_FLIGHT.dec()
            _note(scope, status, time.perf_counter() - started)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)
    if route in _QUIET and status < 400:  # noqa: PLR2004  # errors begin there
        return
    caller: Caller | None = scope.get(CHECKED)
    facts = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "key": None if caller is None else caller.key_id,
    }
    _log.info("%s %s %d", method, route, status, extra={"facts": facts})


def _route(scope: Scope) -> str:
    """Return the template of the route that has answered."""
    if "route" in scope:  # of FastAPI
        return scope["route"].path
    endpoint = scope.get("endpoint")  # Starlette's plain routes tell no more
    if endpoint is not None:
        for route in scope["app"].routes:
            if getattr(route, "endpoint", None) is endpoint:
                return route.path
    return "unknown"
