"""`GET /`: where a person or a program that knows only the address goes on."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ..web.addresses import address
from .strict_routes import strict_router

router = strict_router()
_PLACES = {
    "recommend": "/v1/recommend",
    "openapi": "/openapi.json",
    "console": "/console",
    "mcp": "/mcp",
    "health": "/healthz",
    "ready": "/readyz",
}


@router.get("/", operation_id="entrance", summary="Where to go on")
async def entrance_route(request: Request) -> Response:
    """Send a browser to the console; list the first places for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(address(request.scope, ""), 303)
    under = request.scope.get("root_path", "")
    served = {getattr(route, "path", "") for route in request.app.routes}  # MCP is an extra
    places = {name: under + at for name, at in _PLACES.items() if at in served}
    return JSONResponse({"name": "re2llm", **places})
