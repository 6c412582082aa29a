"""Makes sure that the address of a model's server can be asked, before anything is sent to it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from ...errors import InputError

_AROUND = "\ufeff\u200b \t\r\n'\"`\u2018\u2019\u201c\u201d<>"
_SCHEMES = ("http", "https")
_USUAL = "Write it as http://host:port/v1 or https://host/v1."
_ENDPOINT = re.compile(r"/(?:chat/completions|completions|responses|embeddings|models)/?$")
_UNFIT = re.compile(r"[\s\\\x00-\x1f\x7f]")


def cleaned_url(setting: str, url: str) -> str | None:
    """Return an address as it can be asked: without quotes around it and the endpoint behind it.

    Args:
        setting: The setting that it comes from.
        url: The URL as it was set.

    Returns:
        `None` if it is empty.

    Raises:
        InputError: It cannot be asked. The message holds nothing of it.
    """
    text = url.strip(_AROUND)
    if not text:
        return None
    try:
        parts = urlsplit(text)
        problem = _problem(text, parts)
    except ValueError:  # a port that is none, or half a bracket
        problem = "Its host or port cannot be read."
    else:
        if not problem:
            return _ENDPOINT.sub("", text.rstrip("/"))
    raise InputError(setting, problem, _USUAL)


def _problem(text: str, parts: SplitResult) -> str:
    if parts.scheme.lower() not in _SCHEMES or not text[len(parts.scheme) :].startswith("://"):
        return "It does not begin with http:// or https://."
    if "@" in parts.netloc:
        return "It holds a user or password, which would be stored: set RE2LLM_API_KEY instead."
    if "?" in text or "#" in text:
        return "It has options behind a ? or #, which do not reach the server."
    if not parts.hostname or _UNFIT.search(text) or parts.port == 0:
        return "Its host or port cannot be read."
    return ""
