"""What a server refuses of a request, told by the words of its error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Part(StrEnum):
    """A part of a request that a server may refuse, and that can be left out or written anew."""

    TEMPERATURE = "temperature"
    MAX_TOKENS = "max_tokens"
    TOP_P = "top_p"
    SEED = "seed"
    LOGPROBS = "logprobs"
    STREAM_OPTIONS = "stream_options"
    SYSTEM_ROLE = "system_role"
    TOOLS = "tools"
    RESPONSE_FORMAT = "response_format"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_REFUSED = _words(
    r"support|requires?\b|enabled?\b|not (?:permitted|allowed|available|implemented|accepted|valid)"
    r"|unrecogni[sz]ed|unknown|unexpected|extra|incompatible|invalid|forbidden|disabled|deprecated"
    r"|only|must|cannot|can't|should|removed|ignored|disallowed"
)
_NOT_TAKEN = _words(
    r"support|requires|enabled?\b|not (?:permitted|allowed|available|implemented)|unrecogni[sz]ed"
    r"|unknown|unexpected|extra.(?:inputs|fields)"
)
"""Narrower than `_REFUSED`: errors about the order of messages speak of tools, too."""
_REFUSALS: Mapping[Part, tuple[re.Pattern[str], re.Pattern[str] | None]] = {
    Part.TEMPERATURE: (_words(r"\btemperature\b"), None),
    Part.MAX_TOKENS: (_words(r"\bmax_(?:completion_|output_|new_)?tokens\b"), _REFUSED),
    Part.TOP_P: (_words(r"\btop_?p\b"), _REFUSED),
    Part.SEED: (_words(r"\bseed\b"), _REFUSED),
    Part.LOGPROBS: (_words(r"\b(?:top_)?log_?prob(?:s|abilit)"), _REFUSED),
    Part.STREAM_OPTIONS: (_words(r"\bstream_options\b|\binclude_usage\b"), None),
    Part.SYSTEM_ROLE: (
        _words(
            r"\b(?:system|developer)['\"`]?[ _-](?:role|message|prompt|instruction)s?\b"
            r"|\broles?\b.{0,20}\b(?:system|developer)\b|\broles must alternate\b"
            r"|\bmessages?\.\d{1,4}\.role\b|\bonly\b.{0,60}\broles?\b"
        ),
        _REFUSED,
    ),
    Part.TOOLS: (_words(r"\btools?\b|\btool.(?:use|choice|call)|\bfunctions?\b"), _NOT_TAKEN),
    Part.RESPONSE_FORMAT: (
        _words(
            r"response.?(?:format|schema|mime)|json.?(?:schema|object|mode|output)"
            r"|structured.?output|guided|\bgrammar\b|xgrammar|outlines"
        ),
        _REFUSED,
    ),
}
"""By part, what names it and what then says that it is refused; `None` where the name says it."""
_REFUSING = frozenset({400, 404, 405, 406, 415, 422, 500, 501})
_TOO_LONG = _words(
    r"context.?(?:length|window|size|limit)"
    r"|(?:prompt|input|request|messages?).{0,40}too (?:long|large)"
    r"|too many (?:input |prompt )?tokens|maximum (?:prompt|model|input|sequence) length"
    r"|input token count|token count.{0,30}exceed|tokens?.{0,60}exceeds? the|model token limit"
    r"|reduce (?:the |your )?(?:length|messages|prompt|input|number of tokens)"
    r"|(?:prompt|input).{0,60}(?:longer than|exceeds?\b)|must have less than \d{1,9} tokens"
    r"|tokens.{0,40}must be <="
)
_BAD_GENERATION = _words(
    r"json_validate_failed|tool_use_failed|failed.generation|failed to (?:generate|call|parse)"
    r"|(?:generated|model).{0,30}(?:invalid|malformed|not valid) (?:json|tool|function)"
    r"|malformed.function.call|unexpected model output"
)
_ELSEWHERE = _words(
    r"\bmodels?\b.{0,120}(?:not (?:found|exist)|doesn.t exist|is unknown|no longer)"
    r"|\bmodels?\b.{0,120}(?:decommissioned|discontinued|retired|shut down|been deprecated)"
    r"|no such model|(?:invalid|not a valid) model\b|model_not_found|unknown model"
    r"|page not found|cannot post|no route"
    r"|unexpected endpoint|<html|<!doctype|^\W{0,40}not found\W{0,10}$"
    r"|\bdetail\W{1,6}not found\W{1,4}(?:\s|$)"
)
_QUOTA = _words(
    r"insufficient.(?:quota|credit|balance|funds)|credit balance|payment.required|not enough credit"
    r"|billing.(?:hard.limit|not.active)|out of credits"
)
_LONGEST = 4_000


def refused_parts(status: int | None, said: str) -> frozenset[Part]:
    """Return which parts of a request an error refuses, empty if it speaks of none.

    Args:
        status: The error's HTTP status, or `None` if it has none.
        said: The error's text.
    """
    if status not in _REFUSING:
        return frozenset()
    said = said[:_LONGEST]
    return frozenset(
        part
        for part, (named, refused) in _REFUSALS.items()
        if named.search(said) and (refused is None or refused.search(said))
    )


def says_too_long(said: str) -> bool:
    """Whether an error says that the prompt is longer than the model can read."""
    return _TOO_LONG.search(said[:_LONGEST]) is not None


def says_bad_generation(said: str) -> bool:
    """Whether an error says that the model failed to write the JSON that it was held to."""
    return _BAD_GENERATION.search(said[:_LONGEST]) is not None


def says_elsewhere(said: str) -> bool:
    """Whether an error says that there is no such model, or no such page."""
    return _ELSEWHERE.search(said[:_LONGEST]) is not None


def says_quota(said: str) -> bool:
    """Whether an error says that there is nothing left to pay with, which does not pass."""
    return _QUOTA.search(said[:_LONGEST]) is not None
