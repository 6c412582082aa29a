"""Runs the application under uvicorn, in one process or several."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType

from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn import Config, Server

from .garbage import CollectsGarbage, collect_rarely
from .heads import LimitedProtocol
from .logs import log_config
from .options import ServeOptions
from .workers import Workers, listening_sockets

_BACKLOG = 2048
_HUNG = 30
"""Seconds without a sign of life after which a worker is replaced; its imports take some."""
_IDLE = 75
"""Seconds until an idle connection is closed: load balancers keep theirs for 60, and a request that
comes while its connection is being closed fails."""

_PATIENCE = 5
"""Seconds that threads get to finish the work of requests that have ended. Python waits for
them."""


def run_server(
    options: ServeOptions,
    *,
    host: str,
    port: int,
    workers: int,
    root_path: str,
    drain_seconds: float,
    leave: Callable[[float], None],
) -> None:
    """Serve until a signal ends it.

    Args:
        options: The options of the application.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        workers: Processes.
        root_path: The path under which a proxy serves it.
        drain_seconds: Seconds that requests get to finish.
        leave: Ends the process after some seconds if threads hold it up; called in each worker
            once its requests have ended.
    """
    config = Config(
        partial(_load, options, leave),
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=LimitedProtocol,
        root_path=root_path.rstrip("/"),
        backlog=_BACKLOG,
        timeout_worker_healthcheck=_HUNG,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=round(drain_seconds) or 1,
        lifespan="on",
        log_config=log_config("INFO"),
        access_log=False,  # ours has more, and no query strings
        # Who sends a request is decided by the gate, which believes no header.
        proxy_headers=False,
        server_header=False,
    )
    # uvicorn raises the signal again when it is done; the process is to end as after any command.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)
    if workers == 1:
        Server(config).run()
        return
    folder = tempfile.mkdtemp(prefix="re2llm-metrics-")
    # prometheus-client reads it in each process, and shares its numbers there.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        Workers(config, sockets=listening_sockets(config)).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(options: ServeOptions, leave: Callable[[float], None]) -> ASGIApp:
    """Load the application only once the worker can answer its parent: it takes seconds."""
    from .application import create_app  # noqa: PLC0415

    app = create_app(options)
    opened = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with opened(app):
            collect_rarely()
            yield
        leave(_PATIENCE)

    app.router.lifespan_context = lifespan
    app.add_middleware(CollectsGarbage)
    return app


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame
