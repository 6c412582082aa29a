"""Cuts off the next turns of a conversation, which some models invent behind their answer."""

from __future__ import annotations

import re

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
_LIST = re.compile(r"\[\s{0,9}[\"']?\d{1,6}(?:[\"']?\s{0,9},\s{0,9}[\"']?\d{1,6}){2}")


def said_in(text: str) -> str:
    """Return what an answer says in its turn after its thoughts, in plain signs."""
    return plain_signs(first_turn(without_thoughts(text)))


def first_turn(text: str) -> str:
    """Return an answer without the marks of its turn, and without the turns after it.

    Args:
        text: Of an answer, without thoughts.
    """
    opened = _HEADER.match(text)
    start = opened.end() if opened else 0
    for end in _END.finditer(text, start):
        if text[start : end.start()].strip():
            text = text[: end.start()]
            break
    for asked in _ASKED.finditer(text, start):
        # A line "User: …" may be part of an answer, if no list precedes it and no turn follows.
        before = text[start : asked.start()]
        if before.strip() and (_LIST.search(before) or _ANSWERED.search(text, asked.end())):
            text = text[: asked.start()]
            break
    return text[start:]
