"""Cuts off the next turns of a conversation, which some models invent behind their answer."""

from __future__ import annotations

import re
from bisect import bisect_right

from .plain_signs import plain_signs
from .thoughts import without_thoughts

_ANSWERER = r"(?:assistant|assistent|asistente|ai|model|bot|gpt|answer|response|output|a)"
_HEADER = re.compile(
    r"\s{0,20}(?:(?:<\|im_start\|>|<\|start_header_id\|>|<\|start\|>|<start_of_turn>)\s?"
    r"(?:assistant|model)(?:<\|end_header_id\|>|\n)|<\|assistant\|>|###\s?response:|\[/INST\]"
    r"|(?:assistant|ai|bot):(?=\s))\s{0,20}",
    re.IGNORECASE,
)
"""What may open the answer itself."""
_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|endoftext|end_of_text|end_of_turn|end|user|return"
    r"|start_header_id)\|>|<end_of_turn>|<start_of_turn>|</s>(?=\s{0,20}(?:$|<s>|\[INST))|\[/?INST\]|<\uff5cend\W{1,9}of"
    r"|^###\s?(?:instruction|input|user|human)\b",
    re.IGNORECASE | re.MULTILINE,
)
_ASKED = re.compile(
    r"(?:^[*_#\s]{0,5}|(?<=[\])}])\s{1,3})(?:(?:user|human|question|instruction|input|prompt|history|q"
    r"|(?:be)?nutzer|usuario|utilisateur)[*_]{0,2}\s?:|<(?:user|human)>)",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWERED = re.compile(
    rf"^[*_#\s]{{0,5}}{_ANSWERER}[*_]{{0,2}}\s?:|^Candidates, \w{{1,9}} the ",
    re.IGNORECASE | re.MULTILINE,
)
_SPOKEN = re.compile(
    r"^[*_#\s]{0,5}(?:assistant|assistent|asistente|ai|model|bot|gpt|a)[*_]{0,2}\s?:"
    r"|^Candidates, \w{1,9} the |(?<=\s)assistant:\s",
    re.IGNORECASE | re.MULTILINE,
)
"""Beginnings of an answer in an invented turn, but never of a part of the real answer."""
_LIST = re.compile(r"\[\s{0,9}[\"']?\d{1,6}(?:[\"']?\s{0,9},\s{0,9}[\"']?\d{1,6}){2}")
_ANY_LIST = re.compile(
    r"(?<![\w.])[\"']?\d{1,6}(?:[\"']?\s{0,9}[,;>]\s{0,9}[\"']?\d{1,6}){2,1000}+"
    r"|(?:^[ \t]{0,9}(?:[-*\u2022]|[#(]?\d{1,3}[.):])\s[^\n]{1,500}(?:\n{1,3}|\Z)){2,1000}+",
    re.MULTILINE,
)
"""A list of any kind: in brackets, of bare numbers, or line by line."""
_GIVES = re.compile(r"[\d\]}]|^[ \t]{0,9}[-*\u2022]\s", re.MULTILINE)
"""Without any of these, a text holds no answer yet."""
_DRAFT = re.compile(
    r"\b(?:first|initial(?:ly)?|early|quick|rough|prior|previous|baseline|default)(?:\s\w{1,12})?\s"
    r"(?:guess|draft|pass|try|attempt|thought|impression|idea|take|cut|version|rank\w*|list|order)"
    r"|\b(?:draft|preliminary|tentative|provisional|initially|popularity|evidence|at first)\b",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\b(?:answers?|rank\w*|final\w*|results?|outputs?|recommend\w*|order\w*|top|picks?|list|best"
    r"|choices?|suggest\w*|say|guess|go)\b",
    re.IGNORECASE,
)
_FAR, _NEAR = 2_000, 300
_FENCE = re.compile(r"```\w{0,10}\s{0,10}\Z")
_SENTENCE = re.compile(r"[.!?;]\s|\n")


def said_in(text: str) -> str:
    """Return what an answer says in its turn after its thoughts, in plain signs."""
    return plain_signs(first_turn(without_thoughts(text)))


def first_turn(text: str) -> str:
    """Return an answer without the marks of its turn, and without the turns after it.

    Args:
        text: An answer's text, without thoughts.
    """
    opened = _HEADER.match(text)
    start = opened.end() if opened else 0
    for end in _END.finditer(text, start):
        if text[start : end.start()].strip():
            text = text[: end.start()]
            break
    ends = _Ends(text, start)
    asked = next((one for one in _ASKED.finditer(text, start) if ends.a_turn(one)), None)
    return text[start : asked.start()] if asked else text[start:]


class _Ends:
    """Tells where the answer's own turn ends.

    Args:
        text: An answer's text.
        start: The start of its turn.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text, self._start = text, start
        given, listed = _GIVES.search(text, start), _LIST.search(text, start)
        self._given = given.end() if given else len(text) + 1
        self._listed = listed.end() if listed else len(text) + 1
        self._lists = [found.span() for found in _ANY_LIST.finditer(text, start)]
        self._answered = max((one.start() for one in _ANSWERED.finditer(text, start)), default=-1)
        self._spoken = max((one.start() for one in _SPOKEN.finditer(text, start)), default=-1)

    def a_turn(self, asked: re.Match[str]) -> bool:
        """Whether a line "User: …" begins another turn, and is no part of the answer itself."""
        at, after = asked.span()
        answers = self._answered >= after or self._listed <= at
        if self._given > at or not answers:
            return False
        last = bisect_right(self._lists, (at, 0)) - 1
        end = self._lists[last][0] if last >= 0 else 0
        said = _introduction(self._text[max(self._start, end - _FAR) : end])
        if _DRAFT.search(said):
            return False  # the answer is still to come
        return not said or self._spoken >= after or _RESULT.search(said) is not None


def _introduction(before: str) -> str:
    """Return the words that a list is introduced with, in its own line or in the one before.

    Args:
        before: All that precedes the list.
    """
    opened = before.rfind("{")
    if opened >= 0 and "}" not in before[opened:]:
        before = before[:opened]  # of the object that holds the list
    before = _FENCE.sub("", before[-_NEAR:].rstrip(" [("))
    lines = before.rstrip(" *_`([").split("\n")
    said = lines.pop()
    if not said.strip():
        above = [line for line in lines if line.strip()]
        said = above[-1] if above and above[-1].rstrip(" *_").endswith(":") else ""
    return _SENTENCE.split(said.strip())[-1].strip(" *_#")
