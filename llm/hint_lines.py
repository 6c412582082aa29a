"""Reads hints out of lines: bullets and numbers below a heading, without the analysis before."""

from __future__ import annotations

import re

_MARK = re.compile(
    r"(?:\*{0,2}\d{1,2}[.):\u3001\uff0e\uff09]|[-\u2022+](?!-)|\*(?!\*))\s{0,9}(?=\S)"
)
_HINT = (
    r"hints?|advice|advise|rules?|tips?|suggestions?|recommendations?|guidelines?|instructions?"
    r"|hinweise?|ratschl\w{1,5}|conseils?|consejos?|pistas?|suggeriment\w|consigli\w?|dicas?"
    r"|подсказк\w|совет\w?"
)
_LABEL = re.compile(
    rf"[*_\"']{{0,3}}(?:(?:{_HINT})\s?#?\d{{0,2}}|提示\s?\d{{0,2}})"
    r"(?:\s?[*_]{0,3}\s?[:.)\uff1a]|\s[-\u2013\u2014])[*_]{0,3}+\s{0,3}+(?=\S)",
    re.IGNORECASE,
)
_OF_HINTS = re.compile(rf"\b(?:{_HINT})\b|提示|建议", re.IGNORECASE)
_OF_ANALYSIS = re.compile(
    r"\b(?:mistakes?|errors?|analys\w{1,4}|causes?|reasons?|reasoning|problems?|issues?|summary"
    r"|wrong|observations?|explanations?|miss(?:es|ed)?|findings?|diagnosis|overview|background"
    r"|what happened|shortcomings?|weaknesses|fehler|ursachen?|erreurs?|errores|causas?|errori)\b"
    r"|错误|原因|分析",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"#{1,6}\s.{1,100}|(?:\*\*|__)[^*_]{1,100}(?:\*\*|__)\s?:?|.{1,100}[:\uff1a]\*{0,2}"
)


def listed_hints(text: str) -> list[str]:
    """Return the entries of a list: those below a heading of hints, if there is one.

    Args:
        text: In lines.
    """
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in map(str.strip, text.splitlines()):
        label = _LABEL.match(line)
        mark = None if label else _MARK.match(line)
        if label or mark:
            entry = without_label(line[mark.end() :] if mark else line)
            if not _HEADING.fullmatch(entry) or not entry.rstrip("*_ ").endswith((":", "\uff1a")):
                sections[-1][1].append(entry)
                continue
        if _HEADING.fullmatch(line):
            sections.append((line, []))
    of_hints = [held for heading, held in sections if held and _names_hints(heading)]
    others = [held for heading, held in sections if not _OF_ANALYSIS.search(heading)]
    return [entry for held in of_hints or others for entry in held]


def without_label(hint: str) -> str:
    """Return a hint without a label such as "Hint 1:"."""
    found = _LABEL.match(hint)
    return hint[found.end() :] if found else hint


def _names_hints(heading: str) -> bool:
    """Whether a heading speaks of hints, last if of mistakes, too."""
    hints, analysed = _last(_OF_HINTS, heading), _last(_OF_ANALYSIS, heading)
    return hints > analysed or (hints >= 0 and " to " in heading)


def _last(words: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in words.finditer(text)), default=-1)
