"""Our operations as an MCP server, with structured answers (modelcontextprotocol.io, tools)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ContentBlock, TextContent, Tool
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Route

from ..errors import InputError
from ..llm.prompt_data import inert, inert_json
from ..rating.request import refuse_unknown_parts
from ..runtime.context import Context
from ..runtime.context_checks import granted
from ..runtime.request_limits import input_error
from .arguments import without_unknown
from .host import Re2llm, default_host
from .json_sizes import unpacked
from .mcp_requests import StrictMessages, reduce_log
from .mcp_tools import add_tools

HTTP_PATH = "/re2llm/mcp"
"""Where the server is mounted; LangGraph's own, of whole graphs, is at `/mcp`."""

_LOCAL = ("127.0.0.1", "localhost", "[::1]")


class _Server(FastMCP):
    """Answers with text that ends no message in a chat template of the client's model."""

    async def list_tools(self) -> list[Tool]:
        tools = await super().list_tools()
        for tool in tools:
            tool.inputSchema = {**tool.inputSchema, "additionalProperties": False}
        return tools

    async def call_tool(
        self, name: str, arguments: dict[str, Any]
    ) -> Sequence[ContentBlock] | dict[str, Any]:
        try:
            if name in (known := {tool.name: tool.inputSchema for tool in await self.list_tools()}):
                arguments = _read(arguments, known[name]["properties"])
                if name == "rate":
                    refuse_unknown_parts(arguments)
            answer: Any = await super().call_tool(name, arguments)
        except InputError as error:
            raise ToolError(inert(str(error))) from error
        except ToolError as error:  # of arguments too, which it quotes
            cause = error.__cause__
            said = str(input_error(cause)) if isinstance(cause, ValidationError) else str(error)
            raise ToolError(inert(said)) from error
        # What it returns for a tool with an output schema is not what it declares.
        blocks, structured = cast("tuple[list[ContentBlock], dict[str, Any]]", answer)
        for block in blocks:
            if isinstance(block, TextContent):
                block.text = inert_json(block.text)
        return cast("dict[str, Any]", (blocks, structured))

    def streamable_http_app(self) -> Starlette:
        app = super().streamable_http_app()
        app.router.routes[:] = [
            Route(path, StrictMessages(route.endpoint))
            for route in app.router.routes
            if isinstance(route, Route)
            for path in (route.path, f"{route.path}/")  # as some clients write it
        ]
        return app


def build_server(host: Re2llm | None = None, *, hosts: str = "", path: str = HTTP_PATH) -> FastMCP:
    """Build the server. Nothing is opened before the first call.

    Args:
        host: Its database and models are used; `None` takes those of the settings.
        hosts: As in the setting `mcp_hosts`.
        path: Where it is mounted over HTTP.
    """
    reduce_log()
    ours = host or default_host()
    server = _Server(
        "re2llm",
        instructions=(
            "Recommends items of a catalogue. Call `recommend` with what a person chose or liked, "
            "and `feedback` with what they picked of the answer."
        ),
        log_level="WARNING",
        streamable_http_path=path,
        json_response=True,
        # Any replica can answer any call.
        stateless_http=True,
        transport_security=_security(hosts),
    )
    # Without one, a client is told the version of the package `mcp`.
    server._mcp_server.version = version("re2llm")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def context() -> Context:
        # Over HTTP there is a request, and with an API key it says what was granted.
        request = server.get_context().request_context.request
        return granted(ours.context(), None if request is None else request.scope.get("user"))

    add_tools(server, context)
    return server


def _read(arguments: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments; for one that is no text, a client may send its JSON as a text.

    Args:
        arguments: As they came.
        fields: The schema of each argument that the tool has.
    """
    return {
        field: unpacked(field, value)
        if isinstance(value, str) and fields[field].get("type") != "string"
        else value
        for field, value in without_unknown(arguments, fields).items()
    }


def _security(hosts: str) -> TransportSecuritySettings:
    """Refuse requests that a page in a browser sends under a host name of its own."""
    named = [name.strip() for name in hosts.split(",") if name.strip()]
    allowed = [form for name in (*_LOCAL, *named) for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in allowed]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=allowed, allowed_origins=origins
    )
