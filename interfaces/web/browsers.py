"""What a browser brings: its cookies, the token of its forms, and where a form was sent from."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from ...operations.accounts.console_sessions import SESSION_SECONDS, signed_in
from ...runtime.caller import Caller
from ...runtime.context import Context

COOKIE = "re2llm_console"
"""The token of a session. Only signing in sets it."""
FORM_COOKIE = "re2llm_console_form"
"""The cookie of a browser without a session: its forms need a secret of their own."""
PREFIX = "/console"

_OWN = frozenset({COOKIE, FORM_COOKIE})
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_NEW = "re2llm.console_cookie"
"""Key in a request's scope of the form cookie that its answer sets."""


async def caller_of_browser(scope: Scope) -> Caller | None:
    """Return who has signed in with the browser that sends a request, if anyone has.

    Args:
        scope: The request's.

    Raises:
        DatabaseError: The database failed.
    """
    value = session_of(scope)
    return None if value is None else await signed_in(Context(), value)


def keep_own_cookies(scope: Scope) -> None:
    """Leave the console's cookies alone in a request, and drop all others.

    FastAPI reads all cookies of each request, and Python (before 3.11.10, CVE-2024-7592) takes
    quadratic time for one in quotes.

    Args:
        scope: The request's.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if any(name == b"cookie" for name, _ in headers):
        own = "; ".join(f"{name}={value}" for name, value in _own_cookies(scope).items())
        others = [(name, value) for name, value in headers if name != b"cookie"]
        scope["headers"] = [*others, (b"cookie", own.encode())] if own else others


def session_of(scope: Scope) -> str | None:
    """Return the token of the session that a browser sends, whether it is valid or not.

    Args:
        scope: The request's.
    """
    return _sent(scope, COOKIE)


def form_token(scope: Scope) -> str:
    """Return what the forms of a browser's pages must send along: no other website knows it.

    A browser that has sent no cookie is given one.

    Args:
        scope: The request's.
    """
    value = scope.get(_NEW) or _secret(scope)
    if value is None:
        value = scope[_NEW] = secrets.token_urlsafe(32)
    return hmac.new(value.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_token(scope: Scope, sent: str) -> bool:
    """Whether a form's token is the one of the browser that sends it.

    Args:
        scope: The request's.
        sent: The token as it came with the form.
    """
    known = _secret(scope) is not None
    return known and hmac.compare_digest(form_token(scope).encode(), sent.encode())


def comes_from_own_page(scope: Scope) -> bool:
    """Whether a browser sends a form from a page of this very server.

    Cookies are shared by all ports of a host, so another server on it may know the token.

    Args:
        scope: The request's.
    """
    headers = HTTPConnection(scope).headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:  # no browser of today
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host", "") != ""
    except ValueError:
        return False


def set_form_cookie(scope: Scope, response: Response) -> None:
    """Give a browser the cookie that the forms of its page go by, if it has none.

    Args:
        scope: The request's.
        response: The response that sets the cookie.
    """
    value = scope.get(_NEW)
    if value is not None:
        _set_cookie(scope, response, FORM_COOKIE, value)


def set_session(scope: Scope, response: Response, token: str) -> None:
    """Give a browser the cookie of its session.

    Args:
        scope: The request's.
        response: The response that sets the cookie.
        token: The session's.
    """
    _set_cookie(scope, response, COOKIE, token)


def _set_cookie(scope: Scope, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=SESSION_SECONDS,
        path=scope.get("root_path", "") + PREFIX,
        secure=_is_encrypted(scope),
        httponly=True,
        # Not strict: a link from elsewhere would lead to the sign-in. Forms do not rest on it.
        samesite="lax",
    )


def _secret(scope: Scope) -> str | None:
    return _sent(scope, COOKIE) or _sent(scope, FORM_COOKIE)


def _sent(scope: Scope, name: str) -> str | None:
    return _own_cookies(scope).get(name)


def _own_cookies(scope: Scope) -> dict[str, str]:
    """Return the console's cookies, read in linear time; of two with a name, the last."""
    own: dict[str, str] = {}
    for header in HTTPConnection(scope).headers.getlist("cookie"):
        for sent in header.split(";"):
            name, _, value = sent.partition("=")
            if name.strip() in _OWN and _VALUE.fullmatch(value.strip()):
                own[name.strip()] = value.strip()
    return own


def _is_encrypted(scope: Scope) -> bool:
    """Whether a browser has reached this server, or the proxy before it, over HTTPS.

    A wrong header only makes a browser lose its own cookie.
    """
    headers = HTTPConnection(scope).headers
    return (
        scope.get("scheme") == "https"
        or headers.get("origin", "").startswith("https://")
        or "https" in headers.get("x-forwarded-proto", "")
    )
