"""What secrets look like, so that none is shown whose value is not known."""

from __future__ import annotations

import re

HIDDEN = "…"
_NAME = (
    r"(?i:(?:api|access|auth|secret|private|client|session|refresh|security)"
    r"[ _-]?(?:key|token|secret|id)|(?:proxy-)?authorization|passwords?|passwd|passphrase|pwd"
    r"|secret|(?:set-)?cookie)"
)
_LINK = r"[\"'`]?\s{0,2}(?::=|=>|[=:])\s{0,2}[\"'`]?"
_SAYS = r"\s{1,2}(?:provided\b|supplied\b|is\b|was\b)?:?\s{0,2}[\"'`(\[<]?"
_MIXED = r"(?=[\w*.+/=~-]{0,200}(?:\d|\*\*|\.\.))(?=[\d*.+/=~-]{0,200}[A-Za-z])"
"""A value with a digit or a mask in it, which no plain word has."""
_VALUE = r"[\w*.+/=~…-]"
_WORD = r"(?!(?:token|auth\w{0,12}|scheme|format|required|header|prefix|missing|is|was|not)\b)"
_PREFIXES = r"sk|pk|rk|gsk|xai|pplx|nvapi|csk|fw|tgp_v1|r8|dapi|glpat|tvly|whsec|sess"
_FORMS = (
    re.compile(r"(?<=://)(?:[^/\s]{1,200}|[^/\s:@]{0,100}:\S{1,200})@"),
    re.compile(rf"(?i:\b(?:bearer|basic)\b)[:=]?\s{{1,3}}[\"']?{_WORD}{_VALUE}{{3,2000}}"),
    re.compile(rf"{_NAME}(?i:\s{{1,2}}provided)?{_LINK}[^\s\"'`,;]{{3,2000}}"),
    re.compile(rf"(?i:key|token|sig|signature){_LINK}{_MIXED}{_VALUE}{{3,2000}}"),
    re.compile(r"(?i:key|token)=[\"']?[\w.+/~-]{6,2000}"),
    re.compile(
        rf"(?P<name>(?i:\b(?:api.?key|key|token|password)){_SAYS}){_MIXED}{_VALUE}{{8,2000}}"
    ),
    re.compile(
        rf"\b(?:{_PREFIXES})[-_][\w*.-]{{3,500}}|\b(?:hf|gh[opsur]|github_pat|jina)_[\w*.-]{{3,500}}"
    ),
    re.compile(
        r"\b(?:org|proj|user|key|pa|xox[abeprs])[-_](?=[\w*.-]{0,200}(?:\d|\*))[\w*.-]{4,500}"
    ),
    re.compile(r"\bAIza[\w*.-]{3,500}|\b(?:AKIA|ASIA)[A-Z0-9]{12,100}|\bya29\.[\w.-]{6,2000}"),
    re.compile(r"(?<=[?&])(?i:(?:\w{1,20}[_-])?(?:key|token|sig|signature|code))=[^\s&\"']{1,500}"),
    re.compile(r"\beyJ[\w.-]{20,2000}"),
)
_OPAQUE = re.compile(r"\b[A-Za-z0-9_+/*]{24,500}\b")


def without_secrets(text: str) -> str:
    """Return a text with a sign in place of whatever looks like a key, a token or a password.

    Args:
        text: A text of some thousand characters at most.
    """
    for form in _FORMS:
        text = form.sub(_hidden, text)
    return _OPAQUE.sub(_hidden_if_random, text)


def _hidden(found: re.Match[str]) -> str:
    """Keep what a sentence calls the secret."""
    return found.groupdict().get("name", "") + HIDDEN


def _hidden_if_random(found: re.Match[str]) -> str:
    """Hide what no language writes: long runs of letters and digits, such as keys."""
    run = found[0]
    return HIDDEN if any(map(str.isdigit, run)) or "*" in run else run
