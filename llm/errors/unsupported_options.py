"""What a server refuses of a request, told by the words of its error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum


class Part(StrEnum):
    """A part of a request that a server may refuse, and that can be left out or rewritten."""

    TEMPERATURE = "temperature"
    MAX_TOKENS = "max_tokens"
    TOP_P = "top_p"
    SEED = "seed"
    LOGPROBS = "logprobs"
    STREAM_OPTIONS = "stream_options"
    PARALLEL_TOOL_CALLS = "parallel_tool_calls"
    REASONING_EFFORT = "reasoning_effort"
    TOP_K = "top_k"
    PENALTIES = "penalties"
    LOGIT_BIAS = "logit_bias"
    SERVICE_TIER = "service_tier"
    VERBOSITY = "verbosity"
    STOP = "stop"
    STORE = "store"
    N = "n"
    SYSTEM_ROLE = "system_role"
    TOOLS = "tools"
    RESPONSE_FORMAT = "response_format"
    ONE_PIECE = "answer_in_one_piece"
    STREAM = "stream"
    MISSING_THOUGHTS = "missing_thoughts"
    MISSING_SIGNATURES = "missing_signatures"
    NULL_CONTENT = "null_content"


_WANTED: Mapping[Part, str] = {
    Part.ONE_PIECE: "answers in parts",
    Part.STREAM: "answers in one piece",
    Part.MISSING_THOUGHTS: "the thoughts before calls of tools",
    Part.MISSING_SIGNATURES: "the signatures of calls of tools",
    Part.NULL_CONTENT: "a text beside calls of tools",
}
"""What a server wants in place of such a part, or of its lack."""
WAYS = frozenset({Part.TOOLS, Part.RESPONSE_FORMAT})
"""The ways to ask for JSON."""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_REFUSED = _words(
    r"support|requires?\b|enabled?\b|not (?:permitted|allowed|available|implemented|accepted|valid)"
    r"|unrecogni[sz]ed|unknown|unexpected|extra|incompatible|invalid|forbidden|disabled|deprecated"
    r"|only|must|cannot|can't|should|removed|ignored|disallowed|unavailable|不支持|非法|无效"
)
_LIMITED = _words(_REFUSED.pattern + r"|range|maximum|at most|exceed|greater|larger|> ?\d")
"""Words about a number, which may also be refused as too high."""
_NOT_TAKEN = _words(
    r"support|requires|enabled?\b|not (?:permitted|allowed|available|implemented)|unrecogni[sz]ed"
    r"|unknown|unexpected|extra.(?:inputs|fields)|不支持"
)
"""Narrower than `_REFUSED`: errors about the order of messages mention tools, too."""
_REFUSALS: Mapping[Part, tuple[re.Pattern[str], re.Pattern[str] | None]] = {
    Part.TEMPERATURE: (_words(r"\btemperature\b"), None),
    Part.MAX_TOKENS: (
        _words(
            r"\bmax[_ ]?(?:completion|output|new)?_?tokens\b|\bmaximum tokens you requested\b"
            r"|\bmax(?:imum)? (?:output|completion) tokens\b"
        ),
        _LIMITED,
    ),
    Part.TOP_P: (_words(r"\btop_?p\b"), _REFUSED),
    Part.SEED: (_words(r"\bseed\b"), _REFUSED),
    Part.LOGPROBS: (_words(r"\b(?:top_?)?log[_ ]?prob(?:s|abilit|\b)"), _LIMITED),
    Part.STREAM_OPTIONS: (_words(r"\bstream_options\b|\binclude_usage\b"), None),
    Part.PARALLEL_TOOL_CALLS: (_words(r"\bparallel_tool_calls\b"), _REFUSED),
    Part.REASONING_EFFORT: (
        _words(r"\breasoning[_.]?effort\b|\bthinking_?budget\b|\bsupport thinking\b"),
        _REFUSED,
    ),
    Part.TOP_K: (_words(r"\btop_?k\b"), _REFUSED),
    Part.PENALTIES: (_words(r"\b(?:presence|frequency|repetition)_?penalty\b"), _REFUSED),
    Part.LOGIT_BIAS: (_words(r"\blogit_bias\b"), _REFUSED),
    Part.SERVICE_TIER: (_words(r"\bservice_tier\b"), _REFUSED),
    Part.VERBOSITY: (_words(r"['\"`]verbosity\b|\bverbosity['\"`:]"), _REFUSED),
    Part.STOP: (
        _words(r"['\"`]stop['\"`]|\bstop(?:: | is )|: stop\b|\bstop[_ ]?sequences\b"),
        _LIMITED,
    ),
    Part.STORE: (_words(r"['\"`]store['\"`]|\bstore: |: store\b"), _REFUSED),
    Part.N: (_words(r"['\"`]n['\"`]|\bn: |: n\b|\bn must\b|\bn > 1"), _LIMITED),
    Part.SYSTEM_ROLE: (
        _words(
            r"\b(?:system|developer)['\"`]?[ _-](?:role|message|prompt|instruction)s?\b"
            r"|\broles?\b.{0,20}\b(?:system|developer)\b|\bonly\b.{0,60}\broles?\b"
            # The way to the field: `messages[0].role`, `'messages', 0, 'role'`, `messages -> 0 …`.
            r"|\bmessages?\W{1,8}\d{1,4}\W{1,8}(?:\w{1,60}\W{1,8})?role\b"
            r"|\b(?:roles?|messages?|turns?|conversation)\b.{0,30}\balternat"
            r"|\balternat(?:e|ing)\b(?: strictly)? between\b|\bsame role\b"
            r"|\bconsecutive\b.{0,20}\b(?:user|roles?)\b"
            r"|['\"`](?:system|developer)['\"`].{0,80}\b(?:user|assistant|model)\b"
            r"|\brole (?:must|should|has to) be\b.{0,20}\buser\b|\bvalid roles?\b"
            r"|\bfirst message.{0,40}\buser\b|\bstart with\b.{0,12}\buser\b"
            r"|['\"`]system['\"`] (?:field|parameter)\b"
        ),
        _words(
            _REFUSED.pattern
            + r"|\bnot (?:one|in|an?) |\buse a valid role|\bpermitted\b|\bexpected\b|\balternat"
        ),
    ),
    Part.TOOLS: (
        _words(r"\btools?\b(?! (?:roles?|messages?)\b)|\btool.(?:use|choice|call)|\bfunctions?\b"),
        _NOT_TAKEN,
    ),
    Part.RESPONSE_FORMAT: (
        _words(
            r"response.?(?:format|schema|mime)|json.?(?:schema|object|mode|output)"
            r"|structured.?output|guided|\bgrammar\b|xgrammar|outlines|\boutput_config\b"
            r"|\bschema produces\b"
        ),
        _words(_REFUSED.pattern + r"|\btoo (?:complex|large|many)\b|failed to (?:parse|init)"),
    ),
    Part.ONE_PIECE: (
        _words(
            r"\bonly (?:be )?(?:supports?|accepts?|allows?|works?)\b.{0,12}\bstream(?:ing)?\b(?!_)"
            r"|\bnon.?stream(?:ing|ed)?\b|\bstream(?:ing)? (?:mode )?is (?:required|mandatory)\b"
            r"|\bstream\b(?!_).{0,12}\b(?:must|has to|needs to) be\b.{0,12}\b(?:true|set|enabled)\b"
            r"|\bplease (?:use|enable|set)\b.{0,12}\bstream(?:ing)?\b(?!_)"
        ),
        None,
    ),
    Part.STREAM: (
        _words(
            r"(?<!non-)(?<!non )\bstream(?:ing)?\b(?!_)(?! options\b).{0,24}"
            r"\bnot (?:supported|allowed|available|permitted|enabled|implemented)\b"
            r"|\bverified to stream\b|\bnot support stream(?:ing)?\b(?!_)"
            r"|\bstream(?:ing)? (?:is )?(?:unsupported|disabled)\b"
        ),
        None,
    ),
    Part.MISSING_THOUGHTS: (
        _words(
            r"\bmissing\b.{0,20}\breasoning[ _](?:content|details)\b"
            r"|\breasoning_(?:content|details)\b.{0,60}"
            r"\b(?:missing|required|passed back|must be (?:passed|provided|included|sent))\b"
        ),
        None,
    ),
    Part.MISSING_SIGNATURES: (_words(r"\bthought[_ ]?signature\b"), None),
    Part.NULL_CONTENT: (
        _words(
            r"\bcontent\b(?!-).{0,40}\b(?:valid string|a string|got null|received null|is required"
            r"|field required|not be (?:null|none|empty))\b|\bmissing field\W{1,3}content\b"
        ),
        None,
    ),
}
"""For each part, the words that name it and those that refuse it; `None` if the name is enough."""
_REFUSING = frozenset({400, 404, 405, 406, 415, 422, 424, 500, 501, 502})
"""424 and 502 come from servers in front of the model's own, as of SageMaker and OpenRouter."""
_FORBIDDEN = 403
_NOT_THE_KEYS = frozenset(Part) - {Part.SYSTEM_ROLE, Part.TOOLS, Part.RESPONSE_FORMAT}
"""Parts that a server may forbid to a valid key: `logprobs` of OpenAI's reasoning models."""
_BAD_GENERATION = _words(
    r"json_validate_failed|tool_use_failed|failed.generation|failed to (?:generate|call|parse)"
    r"|(?:generated|model).{0,30}(?:invalid|malformed|not valid) (?:json|tool|function)"
    r"|malformed.function.call|unexpected model output"
)
_ELSEWHERE = _words(
    r"\bmodels?\b.{0,120}(?:not (?:found|exist)|doesn.t exist|is unknown|no longer)"
    r"|\bmodels?\b.{0,120}(?:decommissioned|discontinued|retired|shut down|been deprecated)"
    r"|no such model|(?:invalid|not a valid) model\b|model_not_found|unknown model"
    r"|\bdeployment\b.{0,60}(?:not (?:found|exist)|doesn.t exist)|\bdeploymentnotfound\b"
    r"|(?:page|resource) not found|cannot post|no route"
    r"|(?:location|country|region)\b.{0,20}not (?:supported|available|allowed)"
    r"|unexpected endpoint|<html|<!doctype|^\W{0,40}not found\W{0,10}$"
    r"|\bdetail\W{1,6}not found\W{1,4}(?:\s|$)"
)
_QUOTA = _words(
    r"insufficient.(?:\w{1,12}.)?(?:quota|credit|balance|funds)|credit balance|payment.required"
    r"|not.enough.(?:quota|credit|balance|funds)|\b(?:quota|balance).(?:is.)?not.enough"
    r"|billing.(?:hard.limit|not.active)|out of credits|\barrear|\bno credits?\b"
    r"|\b(?:credits?|balance|free tier)\b.{0,30}"
    r"(?:exhausted|used up|depleted|negative|too low|insufficient|expired)"
    r"|\bused (?:up )?all\b.{0,30}\bcredits|\bcredit limit exceeded|\boverdue (?:balance|payment)"
    r"|\bspend(?:ing)?.(?:limit|cap)\b|\bspecified api usage limits|exceeded_current_quota_error"
    r"|(?<!context )(?<!token )(?<!thinking )(?<!reasoning )\bbudget\b.{0,20}\bexceeded"
    r"|\b(?:budget_exceeded|exceeded.?budget)\b|余额|欠费|充值|额度.{0,6}(?:不足|用尽|用完)|已到期"
)
_BILLING = _words(
    r"billing.details|\bmonthly\b.{0,40}\b(?:limit|quota|cap|credits|usage|allowance|allocation)"
    r"|\b(?:limit|quota|cap)\b[^$\u20ac\u00a3.]{0,30}(?:/|\bper) ?month\b"
    r"|\b(?:requests|calls|tokens|messages|queries|units|credits) ?(?:/|per) ?month\b"
    r"|\b(?:bill|trial|subscription|package|plan)\b.{0,30}"
    r"\b(?:overdue|(?<!not )expired|has ended)\b"
    r"|\b(?:check|recharge|top.?up|refill)\b.{0,20}\bbalance|\bplease (?:recharge|top.?up)\b"
    r"|\baccount\b.{0,120}\b(?:suspended|deactivated|not active)\b"
)
"""Words about billing, unless it is a limit that passes. A plan may only be praised:
"$20/month"."""
_PASSES = _words(
    r"(?:retry|(?:try|available) again).{0,3}(?:in|after|delay)\W{0,5}\d|\bwait \d"
    r"|(?:\bper.?|/ ?)(?:min|sec)|\b[tr]p[ms]\b|\bfor \d{1,5} ?s(?:ec|\b)"
    r"|(?<!higher )(?<!monthly )\brate limit\b|\b(?:of|to|for|sent|with) too many requests\b"
)
"""Words which say that a quota is for a limited time."""
_NONE_AT_ALL = _words(r"\blimit: 0\b")
_KEY = r"(?:api|access|auth\w{0,10}|secret|subscription|bearer|security|x-api)[ _-]?(?:key|token)s?"
_BAD = (
    r"(?:in|not |un)valid|incorrect|wrong|bad|expired|missing|revoked|disabled|unknown|denied"
    r"|not (?:found|provided|accepted|authorized|recogni[sz]ed)|required|no longer|deactivated"
    r"|no|must provide|did(?: not|n.t) provide|pass a valid"
)
_DENIED = _words(
    rf"\b{_KEY}\b.{{0,40}}\b(?:{_BAD})\b|\b(?:{_BAD})\b.{{0,25}}\b{_KEY}\b"
    r"|\bapi_key_(?:invalid|expired)|invalid_(?:api_)?key|\bun(?:authori[sz]ed|authenticated)\b"
    r"|\bauth(?:entication|orization)(?:_error| header|.?(?:failed|error|required|fails))"
    r"|\bauthenticationerror\b|expired_?token|\b(?:jwt|token) (?:has |is )?expired"
    r"|\bcredentials?\b.{0,30}\b(?:invalid|not valid|missing|expired)"
    r"|\b(?:invalid|not validate|no|missing)\b.{0,12}\bcredentials?\b"
    r"|无效的?(?:令牌|密钥)|(?:令牌|密钥)无效"
)
_OF_THOUGHTS = frozenset({Part.MISSING_THOUGHTS, Part.MISSING_SIGNATURES})
_OF_CALLS = _OF_THOUGHTS | {Part.NULL_CONTENT}
"""Parts that only a history with calls of tools lacks."""
_UNWANTED = _words(
    r"\bextra.(?:inputs|fields|forbidden)|\bunsupported\b|\bnot (?:supported|permitted|allowed)\b"
    r"|\b(?:unknown|unrecogni[sz]ed|unexpected|cannot find)\b.{0,20}"
    r"\b(?:name|field|key|parameter|argument|property)\b"
)
"""Words about thoughts that should not have been sent."""
_OF_STREAMS = frozenset({Part.ONE_PIECE, Part.STREAM})
_REFUSING_STREAMS = frozenset({400, _FORBIDDEN, 404, 405, 422})
"""With any other status, words about a stream may be about a connection that has failed."""
_LONGEST = 4_000


def refused_parts(status: int | None, said: str, *, calls: bool = True) -> frozenset[Part]:
    """Return which parts of a request an error refuses, empty if it mentions none.

    Args:
        status: The error's HTTP status, or `None` if it has none.
        said: The error's text.
        calls: Whether the request may have held calls of tools that were made before.
    """
    if status not in _REFUSING and status != _FORBIDDEN:
        return frozenset()
    said = said[:_LONGEST]
    parts = frozenset(
        part
        for part, (named, refused) in _REFUSALS.items()
        if named.search(said) and (refused is None or refused.search(said))
    )
    if status not in _REFUSING_STREAMS:
        parts -= _OF_STREAMS
    if not calls:
        parts -= _OF_CALLS
    if parts & _OF_THOUGHTS:  # which speak of the calls of tools, too
        unwanted = _UNWANTED.search(said) is not None
        parts = parts - _OF_THOUGHTS - {Part.TOOLS} if unwanted else parts & _OF_THOUGHTS
    return parts & _NOT_THE_KEYS if status == _FORBIDDEN else parts


def refused_and_wanted(parts: Collection[Part]) -> tuple[str, str]:
    """Return the names of what a server refuses, and in words what it wants instead.

    Args:
        parts: What `refused_parts` returned; either text is empty if there is none of the kind.
    """
    refused = [part.value for part in sorted(parts) if part not in _WANTED]
    wanted = [_WANTED[part] for part in sorted(parts) if part in _WANTED]
    return ", ".join(refused), ", ".join(wanted)


def says_bad_generation(said: str) -> bool:
    """Whether an error says that the model failed to write the JSON that it was held to."""
    return _BAD_GENERATION.search(said[:_LONGEST]) is not None


def says_elsewhere(said: str) -> bool:
    """Whether an error says that there is no such model, or no such page."""
    return _ELSEWHERE.search(said[:_LONGEST]) is not None


def says_denied(said: str) -> bool:
    """Whether an error says that the key is not accepted, whatever its status."""
    return _DENIED.search(said[:_LONGEST]) is not None


def says_quota(said: str) -> bool:
    """Whether an error says that there is nothing left to pay with, which does not pass."""
    said = said[:_LONGEST]
    passes = _PASSES.search(said) and not _NONE_AT_ALL.search(said)
    return bool(_QUOTA.search(said) or (_BILLING.search(said) and not passes))
