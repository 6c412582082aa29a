"""Whether a server says that a prompt is longer than its model can read, in whatever words."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MOST_READ = 4_000


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_KEY = _words(r"[\"'](?:error_?)?(?:message|msg)s?[\"']\s{0,2}:")
"""A name in JSON is none of the server's words."""
_OPTION = _words(r"\bmax[_ ]?(?:completion|output|new)?_?tokens\b")
_SENTENCE = re.compile(r"[.;!?]\s|[\n\r\u3002\uff1b]")
_SURE = _words(
    r"context.{0,3}(?:length|window|size|limit|overflow|budget)|context_?too_?(?:long|large)",
    r"(?:prompt|input|request|messages?|content|text)_(?:is_)?too_(?:long|large)|\bn_ctx\b",
    r"maximum (?:\w{1,12} )?(?:prompt|model|input|sequence|total) (?:length|size|tokens)",
    r"\b(?:prompt|input|message|request)_?(?:length|size|tokens?)_?(?:limit_?)?exceeded",
    r"exceeded (?:the )?(?:length|token) limit|length limit exceeded",
    r"max_(?:prompt|input|total|model|seq(?:uence)?|context)_?(?:tokens|len(?:gth)?)",
    r"too many (?:input |prompt |total )?tokens|model token limit|token limit exceeded",
    r"tokens?_limit_(?:reached|exceeded)|token count.{0,30}exceed|\binput length should be",
    r"reduce (?:the |your )?(?:length|size|messages?|prompts?|inputs?|(?:number|count) of tokens)",
    r"\binputs?\b.{0,60}must be <=|must have less than \d{1,9} tokens|expected maxlength: \d{1,9}",
    r"(?:kv.?cache|context) (?:is )?full",
    r"tokens must be reduced",
    r"(?:上下文|输入|提示词?|请求|prompt|messages?|tokens?).{0,12}(?:超长|超限|超过|超出|过长)",
)
"""Words that servers use for nothing else."""
_SENT = _words(
    r"\b(?:prompts?|inputs?|messages?|conversations?|chat|history|texts?|content|context|payload)\b",
    r"\b(?:sequence|query|(?:your|the|this) request|request(?:ed)?(?: body)?|tokens)\b",
)
_MEASURED = _words(
    r"\btokens?\b|\b(?:length|size|long|large|big|characters|chars|window|limit|context)\b"
)
_EXCEEDS = _words(
    r"\btoo (?:long|large|big|many)\b|\bexceed|\b(?:longer|larger|greater|bigger|more) than\b",
    r"\b(?:beyond|over|above) (?:the|its|a)\b|\bat most\b|\bmust be (?:<|less|shorter|under)",
    r"\b(?:does|do|will|can)(?: ?not|n.t) fit\b|\boverflow|[\d)]\s{0,2}>=? {0,2}[\w(]",
    r"\b(?:limit|window|max(?:imum)?)(?: is| of|:)? {0,2}\d",
    r"\b(?:accepts|supports|handles?)\b.{0,12}\d",
    r"\bcan handle\b",
)
_ELSE = _words(
    r"\b(?:per|a|each) (?:minute|min|hour|day|second)\b|\brate.?limit|\bquota\b|\b[tr]pm\b",
    r"\b(?:took|takes|taking|taken|waited)\b|\b(?:tool|function|header|schema)s?\b",
    r"\b(?:api.?key|metadata|url|property|name|stop|id)s?\b|['\"`]user['\"`]",
    r"\b(?:output|completion|generated|new|maximum)_? tokens\b|\bexpected a string\b",
    r"\btop_?logprobs\b|\brequests (?:limit|exceed)|\blimit of requests\b",
)
"""Words of a sentence about the length of something else, or about the pace."""


def says_too_long(said: str) -> bool:
    """Whether an error says that the prompt is longer than the model can read.

    Args:
        said: The error's text; of JSON, too.
    """
    said = _KEY.sub(" ", said[:_MOST_READ])
    return _SURE.search(said) is not None or any(map(_too_long, _sentences(said)))


def says_pace(said: str) -> bool:
    """Whether an error is about how much may be sent in a time."""
    return _PACE.search(said[:_MOST_READ]) is not None


_PACE = _words(
    r"\b(?:per|a|each)[ -](?:minute|min|hour|day|second)\b|rate.?limit|\bquota\b|\b[tr]pm\b"
)


def _sentences(said: str) -> Iterable[str]:
    return _SENTENCE.split(_OPTION.sub("it", said))


def _too_long(sentence: str) -> bool:
    return all(part.search(sentence) for part in (_SENT, _MEASURED, _EXCEEDS)) and not _ELSE.search(
        sentence
    )
