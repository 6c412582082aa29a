"""The stylesheet and the scripts of the pages."""

from __future__ import annotations

from importlib import resources

from starlette.responses import Response

from ..api.problems import ProblemError
from .addresses import STATIC
from .routing import page_router

_FILES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_YEAR = 31_536_000

router = page_router()


@router.get(STATIC + "/{name}")
async def file_route(name: str) -> Response:
    """Return a file; its address changes with its content."""
    if name not in _FILES:
        raise ProblemError(404, "There is no such file.")
    content = (resources.files(__package__ or "") / "static" / name).read_bytes()
    headers = {"cache-control": f"public, max-age={_YEAR}, immutable"}
    return Response(content, 200, headers, _FILES[name])
