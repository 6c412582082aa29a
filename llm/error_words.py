"""A provider's own words about a failure, short and without anything secret in them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .json_values import is_list, is_object

LONGEST = 200
"""Characters of a provider's words that are shown."""
_MOST_READ = 4_000
_DEEPEST, _MOST_ENTRIES = 5, 3
_HIDDEN = "…"
_KEYS = ("message", "msg", "detail", "error", "errors", "error_description", "status_msg", "reason")
"""Under which servers write what went wrong."""
_AROUND = ("base_resp", "choices")
"""What may hold those, where nothing else does."""
_TAG = re.compile(r"<[^<>]{0,200}>")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_SECRETS = (
    re.compile(r"(?<=://)[^/\s@]{1,200}@"),
    re.compile(r"\b(?i:bearer|basic)\s{1,3}[\w.~+/=-]{6,500}"),
    re.compile(
        r"\b(?i:(?:api|access|secret)[ _-]?(?:key|token)|authorization|password|secret)"
        r"(?i:\s{1,2}provided)?[\"']?\s{0,2}[=:]\s{0,2}[\"']?[^\s\"',;]{4,500}"
    ),
    re.compile(
        r"\b(?:sk|pk|rk|gsk|xai|pplx|hf|nvapi|ghp|org|proj|user|key|AIza)[-_][\w*.-]{4,500}"
    ),
    re.compile(r"\bAIza[\w-]{10,500}|\b(?:AKIA|ASIA)[A-Z0-9]{12,100}|\bya29\.[\w.-]{6,2000}"),
    re.compile(r"(?<=[?&])(?i:(?:\w{1,20}[_-])?(?:key|token|sig|signature|code))=[^\s&\"']{1,500}"),
    re.compile(r"\b(?:tgp_v1|r8|fw|csk|dapi|together|glpat|tvly|jina|voyage)[-_][\w*.-]{6,500}"),
    re.compile(r"\beyJ[\w.-]{20,2000}"),
)
_OPAQUE = re.compile(r"\b[A-Za-z0-9_+/*]{24,500}\b")


def error_body(error: BaseException) -> Any:
    """Return what a server sent with an error, decoded if it is JSON; `None` if that is unknown.

    Args:
        error: As a provider's package raised it.
    """
    body = getattr(error, "body", None)
    if body is None:
        # LangChain raises the error of a body as the argument of a `ValueError`.
        body = next((arg for arg in error.args if is_object(arg)), None)
    if body is None:
        try:
            body = str(getattr(getattr(error, "response", None), "text", None) or "") or None
        except Exception:  # noqa: BLE001  # the text of a stream that nobody has read
            body = None
    return _decoded(body) if isinstance(body, str) else body


def error_words(body: Any, secrets: Sequence[str] = ()) -> str:
    """Return the words in an error's body, whatever its form; empty if there are none.

    Args:
        body: From `error_body`.
        secrets: As for `shown`.
    """
    parts = dict.fromkeys(part for part in _parts(body) if part.strip())
    return shown(" ".join(parts), secrets)


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a provider's text as one line of at most 200 characters, without secrets.

    Args:
        text: What it said.
        secrets: That it was sent; others are known by their form.
    """
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    text = _UNPRINTABLE.sub(" ", _TAG.sub(" ", text[:_MOST_READ])).strip()
    for secret in _SECRETS:
        text = secret.sub(_HIDDEN, text)
    text = _OPAQUE.sub(_hidden_if_random, text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}{_HIDDEN}"


def _hidden_if_random(found: re.Match[str]) -> str:
    """Hide what no language writes: long runs of letters and digits, such as keys."""
    run = found[0]
    return _HIDDEN if any(map(str.isdigit, run)) or "*" in run else run


def _parts(value: Any, depth: int = 0) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, str):
        decoded = _decoded(value)
        return [value] if isinstance(decoded, str) else _parts(decoded, depth + 1)
    if is_list(value):
        return [part for one in value[:_MOST_ENTRIES] for part in _parts(one, depth + 1)]
    if not is_object(value):
        return []
    held = [key for key in _KEYS if value.get(key)] or [key for key in _AROUND if value.get(key)]
    parts = [part for key in held[:2] for part in _parts(value[key], depth + 1)]
    if is_list(value.get("loc")):
        # A validation error of FastAPI: the words mean nothing without the field's name.
        parts = [f"{'.'.join(map(str, value['loc']))}: {' '.join(parts)}"]
    raw = value.get("metadata")  # where OpenRouter hands on what the server behind it said
    return [*parts, *(_parts(raw.get("raw"), depth + 1) if is_object(raw) else [])]


def _decoded(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text[:100_000])
    except (ValueError, RecursionError):
        return text
