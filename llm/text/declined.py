"""Whether a text says that its model will not answer."""

# ruff: noqa: RUF001  # apostrophes and scripts that models write

from __future__ import annotations

import re

_LONGEST = 2_000
_VERB = (
    r"(?:help|assist|rank|rate|recommend|suggest|provide|give|offer|answer|respond|comply|fulfil"
    r"|do|make|create|generate|produce|write|share|tell|judge|predict|continue|discuss|support"
    r"|engage|complete|process|choose|select|pick|list|sort|order|evaluate|assess|participate)"
)
_NOT = (
    r"(?:can(?:not|\s?not|['’]?t)|could(?:n['’]?t| not)|won['’]?t|will not|would(?:n['’]t| not)"
    r"|(?:am|['’]m|are|['’]re|is) (?:not able|unable|not allowed|not permitted|not comfortable"
    r"|not going|not willing|unwilling|prohibited|forbidden)(?: to| from| with)?"
    r"|unable to|not able to|refuse to|decline to|must (?:refuse|decline)(?: to)?|don['’]t feel)"
)
_REFUSES = re.compile(
    rf"\b{_NOT}(?:\s(?:\w{{1,12}}\s){{0,2}}?{_VERB}\w{{0,4}}\b|\s(?:this|that|these|those|any)\b)"
    r"|\bi(?: must| have to)? (?:respectfully )?(?:refuse|decline)\b"
    r"|\bich (?:kann|darf|werde)\b[^.\n]{0,80}\b(?:nicht|keine?n?)\b"
    r"|\bje ne (?:peux|puis|suis)\b|\bno puedo\b|\bnon posso\b|\bn[ãa]o posso\b|не могу"
    r"|無法|无法|不能|できません",
    re.IGNORECASE,
)
_APOLOGIZES = re.compile(
    r"\b(?:sorry|apologi[sz]e|my apologies|as an ai\b|against my (?:rules|guidelines|policy))"
    r"|\bes tut mir (?:sehr )?leid|\bd[ée]sol[ée]e?\b|\blo siento\b|\bmi dispiace\b"
    r"|\b(?:sinto muito|desculpe|lamento)\b|извините|к сожалению|抱歉|对不起|申し訳|죄송",
    re.IGNORECASE,
)


_OF_ITSELF = re.compile(
    r"\W{0,3}(?:(?:i|we)\b|sorry|unfortunately|as an ai\b|my apologies|apologies"
    r"|(?:ich|je|es tut mir|leider|malheureusement|lo siento|no puedo|mi dispiace|non posso)\b"
    r"|d[ée]sol|desculpe|n[ãa]o posso|извин|я\b|抱歉|对不起|我|申し訳)",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether a text says what its model cannot or will not do.

    Args:
        text: A text in any of the more common languages.
    """
    return _REFUSES.search(text[:_LONGEST]) is not None


def declines(text: str) -> bool:
    """Whether a text refuses to answer, or apologizes.

    Args:
        text: As for `refuses`.
    """
    return refuses(text) or _APOLOGIZES.search(text[:_LONGEST]) is not None


def is_refusal(text: str) -> bool:
    """Whether a text is nothing but a model's own refusal, and no advice that uses such words.

    Args:
        text: A short one.
    """
    return _OF_ITSELF.match(text) is not None and declines(text)
