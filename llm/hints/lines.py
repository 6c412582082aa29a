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
_DERIVED = re.compile(
    rf"\b(?:{_HINT})\s(?:\w{{1,12}}\s)?(?:based|derived|drawn|from|against)\b", re.IGNORECASE
)
_WRONG = (
    r"mistakes?|errors?|analys\w{1,4}|causes?|reasons?|reasoning|problems?|issues?"
    r"|wrong|explanations?|miss(?:es|ed)?|diagnosis|what happened|shortcomings?|weaknesses"
    r"|fehler|ursachen?|erreurs?|errores|causas?|errori"
)
_OF_ANALYSIS = re.compile(rf"\b(?:{_WRONG})\b|错误|原因|分析", re.IGNORECASE)
_TO_BE_FIXED = re.compile(
    r"\A\W{0,9}(?:(?:the|these|some|common|main|key|typical|most|other|\w{1,9}ing|\d)\s){0,3}"
    rf"(?:{_WRONG})(?:\s(?!and\b|how\b|und\b|et\b|y\b)\w{{1,15}}){{0,3}}?"
    r"\s(?:to|should|must|à|da|a)\s(?:be\s)?\w{1,15}",
    re.IGNORECASE,
)
"""A heading such as "Mistakes to avoid", below which the mistakes stand."""
_IN_BRIEF = re.compile(
    r"\b(?:summary|summari[sz]\w{1,3}|observations?|findings?|overview|background)\b|总结|观察",
    re.IGNORECASE,
)
"""Headings of an analysis, or of the whole answer."""
_FIX = re.compile(
    r"\b(?:avoid\w{0,3}|prevent\w{0,3}|fix\w{0,3}|correct(?:ion\w?|ing)?|remed(?:y|ies)|solv\w{1,3}"
    r"|solutions?|should|must|lessons?|learn\w{0,3}|improv\w{1,6}|better|instead|next time|future"
    r"|how to|address\w{0,3}|counter\w{0,7}|action\w?|takeaways?|vermeid\w{1,4}|künftig"
    r"|besser|verbesser\w{1,5}|lehren|évit\w{1,3}|corrig\w{1,3}|leçons?|amélior\w{1,4}|evit\w{1,4}"
    r"|correg\w{1,3}|corre[gz]\w{1,4}|lecciones|mejor\w{0,3}|lezioni|miglior\w{1,4}|lições"
    r"|melhor\w{0,3}|избе\w{1,6}|исправ\w{1,6}|уроки?|улучш\w{1,6})\b"
    r"|避免|改进|应该|防止|下次|教训|纠正|解决",
    re.IGNORECASE,
)
"""Words that turn a heading about mistakes into one about what to do against them."""
_BEGINS_WITH_FIX = re.compile(
    r"\W{0,9}(?:how|to|lessons?|solutions?|remed\w{1,3}|improvements?|avoid\w{0,3}|fix\w{0,3}"
    r"|prevent\w{0,3}|correct(?:ions?|ing)|address\w{0,3}|next time|in future|um|wie|pour|comment"
    r"|para|como|per|come)\b",
    re.IGNORECASE,
)
_VERB = (
    r"(?:prefer|rank|avoid|favou?r|prioriti[sz]e|weigh|consider|give|place|put|promote|demote|boost"
    r"|penali[sz]e|ignore|treat|match|choose|pick|focus|lower|raise|reduce|increase|move|emphasi[sz]e"
    r"|recommend|select|limit|keep|downrank|look)(?=\s(?!was\b|were\b|is\b|are\b))"
)
_ADVISES = re.compile(
    r"\W{0,3}(?:(?:if|when|for|among)\b[^\n]{1,200}?,\s(?:then\s)?)?"
    rf"(?:(?:always|never|do not|don't|rather|please)\b|{_VERB})",
    re.IGNORECASE,
)
"""How a hint begins, but no remark about a ranking."""
_HEADING = re.compile(
    r"#{1,6}\s.{1,100}|(?:\*\*|__)[^*_]{1,100}(?:\*\*|__)\s?:?|.{1,100}[:\uff1a]\*{0,2}"
)


def listed_hints(text: str) -> list[str]:
    """Return the entries of a list: those below a heading of hints, if there is one.

    Without any, those below another heading are taken, and below one of mistakes if it or they say
    what to do about them.

    Args:
        text: A text in lines.
    """
    sections: list[tuple[str, list[str]]] = [("", [])]
    labelled: set[str] = set()
    for line in map(str.strip, text.splitlines()):
        label = _LABEL.match(line)
        mark = None if label else _MARK.match(line)
        if label or mark:
            said = line[mark.end() :] if mark else line
            entry = without_label(said)
            if not _HEADING.fullmatch(entry) or not entry.rstrip("*_ ").endswith((":", "\uff1a")):
                if entry != said:
                    labelled.add(entry)
                    if _OF_ANALYSIS.search(sections[-1][0]):
                        sections.append((said.removesuffix(entry), []))
                sections[-1][1].append(entry)
                continue
        if _HEADING.fullmatch(line):
            sections.append((line, []))
    listed = [(heading, held) for heading, held in sections if held]
    for suits in (_names_hints, _begins_with_fix, _is_neutral, _names_fix, _is_in_brief):
        if found := [entry for heading, held in listed if suits(heading) for entry in held]:
            sure = suits is _names_hints or not labelled
            return [one for one in found if sure or one in labelled or _ADVISES.match(one)]
    return [entry for _, held in listed for entry in held if _ADVISES.match(entry)]


def without_label(hint: str) -> str:
    """Return a hint without a label such as "Hint 1:"."""
    found = _LABEL.match(hint)
    return hint[found.end() :] if found else hint


def _names_hints(heading: str) -> bool:
    """Whether a heading speaks of hints, last if of mistakes, too."""
    hints, analysed = _last(_OF_HINTS, heading), _last(_OF_ANALYSIS, heading)
    derived = " to " in heading or _DERIVED.search(heading)
    return hints > analysed or (hints >= 0 and bool(derived))


def _is_neutral(heading: str) -> bool:
    return not (_OF_ANALYSIS.search(heading) or _IN_BRIEF.search(heading))


def _begins_with_fix(heading: str) -> bool:
    return _BEGINS_WITH_FIX.match(heading) is not None and _FIX.search(heading) is not None


def _names_fix(heading: str) -> bool:
    heading = _TO_BE_FIXED.sub("", heading)
    return bool(_FIX.search(heading) or _OF_HINTS.search(heading))


def _is_in_brief(heading: str) -> bool:
    return not _OF_ANALYSIS.search(heading)


def _last(words: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in words.finditer(text)), default=-1)
