"""Addresses of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.types import Scope

from .browsers import PREFIX

_OWN = re.compile(rf"{PREFIX}(?:[/?][\x21-\x5b\x5d-\x7e]*)?")
SIGN_IN = f"{PREFIX}/sign-in"
STATIC = f"{PREFIX}/static"

Query = Mapping[str, str | int | Sequence[str] | None]
"""Parameters of an address; a sequence repeats one, and `None` leaves it out."""


def address(scope: Scope, path: str, query: Query | None = None) -> str:
    """Return the address of a page, as a browser asks for it.

    Args:
        scope: Of the request whose answer links to it.
        path: Such as `/hints`; empty for the first page.
        query: Its parameters.
    """
    pairs = [(name, value) for name, value in (query or {}).items() if value not in (None, "")]
    written = urlencode(pairs, doseq=True)
    return f"{scope.get('root_path', '')}{PREFIX}{path}" + (f"?{written}" if written else "")


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
    """Return where a request goes, to come back to it after signing in.

    Args:
        scope: The request's.
    """
    query = scope.get("query_string", b"").decode("latin-1")
    place = route_of(scope) + (f"?{query}" if query else "")
    return place if scope.get("method") == "GET" and _OWN.fullmatch(place) else PREFIX


def own_place(place: str) -> str:
    """Return a place that a form names, if it is one of ours, else the first page.

    Args:
        place: From `place_of`, by way of a browser.
    """
    return place if _OWN.fullmatch(place) and place != SIGN_IN else PREFIX
