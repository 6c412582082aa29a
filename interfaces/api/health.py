"""`/healthz` and `/readyz`, for whatever watches the server; they reveal nothing else."""

from __future__ import annotations

import asyncio
import logging
import time
from weakref import WeakKeyDictionary

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from ...errors import Re2llmError
from ...knowledge.engine import ping
from ...knowledge.migrate import is_current
from ...runtime.sharing import shared_services
from .documents import problems
from .draining import is_draining
from .problems import RETRY_AFTER, ProblemError
from .strict_routes import strict_router

_log = logging.getLogger(__name__)
_FRESH = 1.0
"""Seconds that a result is kept, so that strangers cannot keep the database busy."""

_looking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

router = strict_router()


class _Finding:
    """What the last look at the database has found."""

    until = 0.0
    problem = ""


@router.get("/healthz", operation_id="health", summary="Is the process alive?")
async def health_route() -> Response:
    """Answer, if the process can."""
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="readiness",
    summary="Can it answer requests?",
    responses={503: problems()[503]},
)
async def readiness_route(request: Request) -> Response:
    """Answer 200 if the database answers, its schema is up to date, and no shutdown has begun."""
    problem = "The server is shutting down." if is_draining(request.app) else await _problem()
    if problem:
        raise ProblemError(503, problem, {"retry-after": str(RETRY_AFTER)})
    return JSONResponse({"status": "ready"})


async def _problem() -> str:
    looking = _looking.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with looking:  # those that come meanwhile take what one look finds
        if time.monotonic() >= _Finding.until:
            _Finding.problem = await _look()
            _Finding.until = time.monotonic() + _FRESH
        return _Finding.problem


async def _look() -> str:
    try:
        services = await shared_services()
        await ping(services.engine, services.settings)
        current = await is_current(services.engine)
    except (Re2llmError, OSError, SQLAlchemyError) as error:
        _log.warning("not ready: %s", error if isinstance(error, Re2llmError) else type(error))
        return "The database does not answer, or its schema is of another version."
    return "" if current else "The database's schema is not up to date."
