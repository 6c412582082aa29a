"""`re2llm serve`: the HTTP API for production."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from ..errors import InputError, Re2llmError
from .console import err, fail, run
from .interrupts import leave_threads_within

_PORT = 8000


def serve(
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="The address to listen on; any but localhost needs an API key."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="The port; 0 takes a free one.")
    ] = _PORT,
    workers: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="Processes that answer.")
    ] = 1,
    root_path: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="The path under which a proxy serves it, such as /recommender."
        ),
    ] = "",
    drain_seconds: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds that requests get to finish after SIGTERM."
        ),
    ] = 30.0,
    drain_delay: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Seconds after SIGTERM in which it goes on taking requests, not ready, so that a "
            "load balancer can notice.",
        ),
    ] = 0.0,
) -> None:
    """Serve recommendations over HTTP.

    MCP is at /mcp, metrics at /metrics, health checks at /healthz and /readyz.

    Example: re2llm serve --port 8000 --workers 2
    """
    refusal = run(lambda: _refusal(host, root_path)) or _unusable(host, port)
    if refusal is not None:
        fail(refusal)
    from ..interfaces.api.options import ServeOptions
    from ..interfaces.api.server import run_server
    from ..interfaces.key_rules import is_loopback

    if port:  # else the log tells which one it is
        err.print(f"Serving at http://{_shown(host)}:{port}{root_path}; Ctrl-C ends it.")
    run_server(
        ServeOptions(public=not is_loopback(host), drain_delay=drain_delay),
        host=host,
        port=port,
        workers=workers,
        root_path=root_path,
        drain_seconds=drain_seconds,
        leave=leave_threads_within,
    )


async def _refusal(host: str, root_path: str) -> Re2llmError | None:
    """Return why the server must not start. Opens and migrates the database."""
    from ..interfaces.auth import refusal_without_key
    from ..interfaces.key_rules import is_loopback
    from ..runtime.sharing import shared_services

    if root_path and not (root_path.startswith("/") and root_path.strip("/")):
        return InputError("--root-path", f"{root_path!r} is no path.", "Write it as /recommender.")
    if not is_loopback(host):
        return await refusal_without_key()
    await shared_services()
    return None


def _unusable(host: str, port: int) -> InputError | None:
    """Return why the server cannot listen there."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        field = "--host" if isinstance(error, socket.gaierror) else "--port"
        problem = f"{_shown(host)}:{port} cannot be listened on ({error.strerror})."
        return InputError(field, problem, "Name another; --port 0 takes a free one.")
    return None


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
