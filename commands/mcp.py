"""`re2llm mcp`: re2llm's tools for any program that speaks MCP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import InputError
from .completion import complete_domain
from .console import err, log_traces, run


def mcp(
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN",
            help="The catalogue for calls that name none.",
            autocompletion=complete_domain,
        ),
    ] = None,
) -> None:
    """Serve re2llm's tools over MCP, on stdin and stdout.

    The tools are recommend, feedback, rate and more.

    The client starts this command itself: give it the command `re2llm` with the argument `mcp`.
    Over HTTP, `re2llm serve` serves the same tools at /mcp, `langgraph dev` at /re2llm/mcp.

    Example: re2llm mcp --domain films
    """
    run(lambda: _serve(domain))


async def _serve(domain: str | None) -> None:
    try:
        from ..interfaces.mcp_server import build_server
        from ..interfaces.mcp_stdio import serve_stdio
    except ModuleNotFoundError as error:
        raise InputError(
            "mcp", f"The package {error.name} is missing.", "pip install 're2llm[mcp]'"
        ) from error
    from ..interfaces.host import Re2llm
    from ..operations.catalogue.domains import show_domain
    from ..runtime.context import Context
    from ..settings import get_settings

    log_traces()
    if domain is not None:  # a client would show its person nothing but a tool that fails
        await show_domain(Context(), domain)
    if sys.stdin.isatty():
        err.print(
            "Waiting for an MCP client on standard input. "
            "Clients usually start this command themselves; Ctrl-C ends it."
        )
    host = Re2llm(domain=domain or get_settings().domain)
    try:
        await serve_stdio(build_server(host))
    finally:
        await host.aclose()
