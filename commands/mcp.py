"""`re2llm mcp`: our tools for any program that speaks MCP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import InputError
from ..settings import get_settings
from .console import err, run


def mcp(
    domain: Annotated[
        str | None, typer.Option(help="The catalogue of calls that name none.")
    ] = None,
) -> None:
    """Serve our tools over MCP, on standard input and output: recommend, feedback, rate and more.

    A client starts it itself: give it the command `re2llm` with the argument `mcp`. Over HTTP,
    `langgraph dev` serves the same tools at /re2llm/mcp.

    Example: re2llm mcp --domain films
    """
    run(lambda: _serve(domain or get_settings().domain))


async def _serve(domain: str) -> None:
    try:
        from ..interfaces.mcp_server import build_server
    except ModuleNotFoundError as error:
        raise InputError(
            "mcp", f"The package {error.name} is missing.", "pip install 're2llm[mcp]'"
        ) from error
    from ..interfaces.host import Re2llm

    if sys.stdin.isatty():
        err.print("Waiting for a program that speaks MCP to start this itself; Ctrl-C ends it.")
    host = Re2llm(domain=domain)
    try:
        await build_server(host).run_stdio_async()
    finally:
        await host.aclose()
