"""Addresses of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.routing import Match, Route
from starlette.types import Scope

from .browsers import PREFIX

LONGEST_PLACE = 4_000
"""Most characters: it is in an address within an address, and proxies limit the length of
headers."""
_OWN = re.compile(rf"{PREFIX}(?:[/?][\x21-\x5b\x5d-\x7e]*)?")
SIGN_IN = f"{PREFIX}/sign-in"
STATIC = f"{PREFIX}/static"

Query = Mapping[str, str | int | Sequence[str] | None]
"""Parameters of an address; a sequence repeats one, and `None` leaves it out."""


def address(scope: Scope, path: str, query: Query | None = None) -> str:
    """Return the address of a page, as a browser asks for it.

    Args:
        scope: The scope of the request whose answer links to it.
        path: Such as `/hints`; empty for the first page.
        query: Its parameters.
    """
    pairs = [(name, value) for name, value in (query or {}).items() if value not in (None, "")]
    written = urlencode(pairs, doseq=True)
    return f"{scope.get('root_path', '')}{PREFIX}{path}" + (f"?{written}" if written else "")


def item_address(scope: Scope, item: str, domain: str) -> str:
    """Return the address of an item's page.

    Browsers and proxies resolve `..` and double slashes in a path, and the gate reads escapes
    within escapes. An id with these is sent as a parameter.

    Args:
        scope: The scope of the request whose answer links to it.
        item: The item's id.
        domain: Its domain.
    """
    parts = item.split("/")
    if "%" in item or "\\" in item or not {"", ".", ".."}.isdisjoint(parts):
        return address(scope, "/catalogue:item", {"item": item, "domain": domain})
    return address(scope, f"/catalogue/{quote(item)}", {"domain": domain})


def route_of(scope: Scope) -> str:
    """Return a request's path as routes know it, without what a proxy serves it under.

    Args:
        scope: The request's.
    """
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def is_page(scope: Scope) -> bool:
    """Whether a request is for the console.

    Args:
        scope: The request's.
    """
    route = route_of(scope)
    return route == PREFIX or route.startswith(f"{PREFIX}/")


def is_open(scope: Scope) -> bool:
    """Whether anyone may send a request: to sign in, or for the files of that page.

    Args:
        scope: The request's.
    """
    route = route_of(scope)
    return route == SIGN_IN or route.startswith(f"{STATIC}/")


def place_of(scope: Scope) -> str:
    """Return the page that a request asks for, or comes from, to show it after signing in.

    Args:
        scope: The request's.
    """
    if scope.get("method") not in {"GET", "HEAD"}:
        before = own_place(page_before(scope))
        return before if _is_shown(scope, before) else PREFIX
    query = scope.get("query_string", b"").decode("latin-1")
    return own_place(route_of(scope) + (f"?{query}" if query else ""))


def _is_shown(scope: Scope, place: str) -> bool:
    """Whether a place can be asked for: the page that answers a form may have no such address."""
    path = scope.get("root_path", "") + unquote(place.partition("?")[0])
    asked = {**scope, "method": "GET", "path": path}
    routes = (route for route in scope["app"].routes if isinstance(route, Route))
    return any(route.matches(asked)[0] is Match.FULL for route in routes)


def page_before(scope: Scope) -> str:
    """Return the place of the page that sends a request, as far as the browser tells; else empty.

    Args:
        scope: The request's.
    """
    try:
        sent = urlsplit(Headers(scope=scope).get("referer", ""))
    except ValueError:
        return ""
    path = sent.path.removeprefix(scope.get("root_path", ""))
    return path + (f"?{sent.query}" if sent.query else "")


def own_place(place: str) -> str:
    """Return a place that a browser names if it is one of our pages, otherwise the first page.

    Args:
        place: Such as `/console/hints?domain=films`.
    """
    own = len(place) <= LONGEST_PLACE and _OWN.fullmatch(place)
    return place if own and place.partition("?")[0].rstrip("/") != SIGN_IN else PREFIX
