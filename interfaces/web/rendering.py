"""Writes pages. Everything that templates are given is text to them, never markup."""

from __future__ import annotations

import datetime as dt
import hashlib
import shlex
from functools import cache, partial
from importlib import resources
from importlib.metadata import version
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from ...records import counted
from ...runtime.caller import Caller
from ..auth import CHECKED, OPEN
from .addresses import Query, address, item_address, own_place, route_of
from .browsers import form_token
from .sections import SECTIONS
from .sent_once import AGAIN, once_value

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_DONE = {
    "approved": "Approved.",
    "retired": "Retired.",
    "activated": "The release is active.",
    "rolled-back": "The release before is active again.",
    "canary": "The rollout has begun.",
    "autopilot-resume": "The autopilot goes on.",
    "autopilot-on": "The autopilot is on; a running `re2llm worker` does its steps.",
    "autopilot-off": "The autopilot is off.",
    "canary-over": "The rollout had ended before; nothing was changed.",
    "canary-stopped": "The rollout is stopped: the active release serves everybody.",
    "pause": "The job is paused.",
    "resume": "The job goes on.",
    "cancel": "The job is cancelled.",
    "retry": "The job goes on.",
    "file-gone": "The file was no longer there: it was loaded or deleted before.",
    "discarded": "The file is deleted; nothing was loaded.",
    "submitted": "The job is submitted; a running `re2llm worker` takes it.",
    "scheduled": "The schedule is stored.",
    "unscheduled": "The schedule is removed.",
    "added": "The hint is stored.",
    "known": "The same text is stored already: this is it.",
    "edited": "The new version is stored. It waits until it is verified, or approved.",
    "signed-out": "You have signed out.",
}
"""What a page says after a change, by the word in its address."""


def page(request: Request, template: str, /, *, code: int = 200, **values: Any) -> HTMLResponse:
    """Write a page.

    Args:
        request: The request for the page.
        template: Its file.
        code: The status of the response.
        **values: What the template shows.
    """
    return HTMLResponse(written(request.scope, template, **values), code)


def written(scope: Scope, template: str, /, **values: Any) -> str:
    """Return a page's HTML.

    Args:
        scope: The scope of the request that asks for it.
        template: Its file.
        **values: What the template shows.
    """
    caller: Caller | None = scope.get(CHECKED)
    request = Request(scope)
    said = _DONE.get(request.query_params.get("done", ""), "")
    if said and AGAIN in request.query_params:
        said += " The form was sent twice; this was done once."
    known: dict[str, Any] = {
        "address": partial(address, scope),
        "item_address": partial(item_address, scope),
        "caller": caller,
        "inside": CHECKED in scope and not scope.get(OPEN),
        "may_learn": caller is None or "learn" in caller.grants.may,
        "may_load": caller is None or "load" in caller.grants.may,
        "may_start": caller is None or caller.grants.may_start,
        "form_token": partial(form_token, scope),
        "here": route_of(scope),
        "said": said,
        "once": once_value(request),
        "domain": None,
        "domains": (),
    }
    return environment().get_template(template).render(known | values)


def see(
    request: Request, path: str, query: Query | None = None, *, done: str | None = None
) -> Response:
    """Return the answer to a form: which page to show next.

    Args:
        request: The request with the form.
        path: The path of the page.
        query: Its parameters.
        done: What the page says was done, a key of the messages.
    """
    return RedirectResponse(address(request.scope, path, {**(query or {}), "done": done}), 303)


def see_place(request: Request, place: str) -> Response:
    """Return the answer to a sign-in: where the person wanted to go.

    Args:
        request: The request with the form.
        place: The place in the form.
    """
    return RedirectResponse(request.scope.get("root_path", "") + own_place(place), 303)


@cache
def environment() -> Environment:
    """Return the environment of the templates: it escapes every value, in every file."""
    made = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "ago": ago,
        "coded": coded,
        "counted": counted,
        "in_shell": shlex.quote,
        "money": money,
        "moment": moment,
        "signed": signed,
    }
    cast("dict[str, Any]", made.filters).update(filters)
    known: dict[str, Any] = {"sections": SECTIONS, "version": version("re2llm"), "digest": digest()}
    cast("dict[str, Any]", made.globals).update(known)
    return made


@cache
def digest() -> str:
    """Return a short digest of the stylesheet and the scripts, so that browsers take new ones."""
    folder = resources.files(__package__ or "") / "static"
    whole = hashlib.sha256()
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:12]


def ago(moment: dt.datetime | str) -> str:
    """Return how long ago something was, such as `3 days`.

    Args:
        moment: A time with a time zone, or in ISO 8601.
    """
    then = _moment(moment)
    seconds = max(0.0, (dt.datetime.now(dt.UTC) - then).total_seconds())
    for size, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "a moment"


def moment(moment: dt.datetime | str) -> str:
    """Return a moment in UTC, to the minute.

    Args:
        moment: A time with a time zone, or in ISO 8601.
    """
    return f"{_moment(moment).astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def coded(text: str) -> Markup:
    """Return text for a page, with what is between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup().join(
        code.format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def signed(number: float) -> str:
    """Return a number with its sign and three decimals."""
    return f"{number:+.3f}".replace("-", "\N{MINUS SIGN}")


def money(number: float | None) -> str:
    """Return a sum of money, small ones with more decimals; `None` has no price."""
    if number is None:
        return "no price"
    return f"{number:,.2f}" if number >= 1 or number == 0 else f"{number:.4f}"


def _moment(moment: dt.datetime | str) -> dt.datetime:
    return dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
