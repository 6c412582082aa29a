"""The marks that models and servers set around thoughts, and where a stream must wait."""

from __future__ import annotations

import re

from .call_marks import BARE_IN_TEXT, CALL, CALL_BEGINNINGS, LOOSE
from .turn_tokens import TOKEN_BEGINNINGS

_IN_BRACKETS = ("think", "thinking", "thought", "thoughts", "reasoning", "scratchpad")
_THOUGHT = r"(?:think(?:ing)?|thoughts?|reasoning|monologue|scratchpad)"
_ANY = (
    rf"(?:[\w:-]{{0,24}}?{_THOUGHT}(?:[_:-]\w{{1,20}})?|reflection|analysis|cot|chain_of_thought)"
)
"""A tag's name: `think`, or a family's own, such as `seed:think`, `antThinking`, `think_fast`."""
_TOKEN = rf"(?:{_THOUGHT}|reflection|analysis|cot|chain_of_thought)"
_PLAIN_OPENING = ("◁think▷", "<unused94>", "<|channel>thought", "<|inner_prefix|>")
_PLAIN_CLOSING = ("◁/think▷", "<unused95>", "<channel|>", "<|inner_suffix|>")
"""The closing marks of Kimi, MedGemma, Gemma and Apertus."""
# Fixed words and bounded gaps only, so that a scan takes linear time.
OPENING = re.compile(
    rf"(?:<|&lt;){_ANY}(?:\s{{1,3}}[\w:-]{{1,30}}\s?=[^<>\n]{{0,100}}|\s{{0,3}})(?:>|&gt;)"
    rf"|\[(?:{'|'.join(_IN_BRACKETS)})\]"
    rf"|<\|(?:start_|begin_of_)?{_TOKEN}\|>|{'|'.join(map(re.escape, _PLAIN_OPENING))}",
    re.IGNORECASE,
)
"""An opening tag; between its name and its end are attributes, or nothing."""
_CLOSING = re.compile(
    rf"(?:<|&lt;)/{_ANY}\s?(?:>|&gt;)|\[/(?:{'|'.join(_IN_BRACKETS)})\]"
    rf"|<\|(?:end_of_|end_|/){_TOKEN}\|>|{'|'.join(map(re.escape, _PLAIN_CLOSING))}",
    re.IGNORECASE,
)
TAG = re.compile(f"{OPENING.pattern}|{_CLOSING.pattern}", re.IGNORECASE)
HEADING = re.compile(r"\[/?+(?!think)", re.IGNORECASE)
"""A word in brackets that may be a heading: it opens a thought only if one ends there, too."""
BLOCKS = (
    (
        re.compile(r"^[ \t]{0,20}```(?:think|thought|reasoning)", re.IGNORECASE | re.MULTILINE),
        re.compile(r"\n```|```[ \t]{0,9}$", re.MULTILINE),
    ),
    (
        re.compile(r"<details\s[^<>\n]{0,40}reasoning", re.IGNORECASE),
        re.compile(r"</details\s?>", re.IGNORECASE),
    ),
    (
        re.compile(rf"<\|im_start\|>\s?{_TOKEN}\b", re.IGNORECASE),
        re.compile(r"<\|im_end\|>\s{0,9}", re.IGNORECASE),
    ),
)
"""What opens a thought as a block of Markdown or HTML, or as a turn, and what ends it."""
ANSWER_TURN = re.compile(r"<\|im_start\|>\s?(?:final_?)?answer\b:?\s{0,9}", re.IGNORECASE)
"""What follows a turn of thoughts, whose own mark may stand in the prompt."""
NEXT_TURN = re.compile(r"<\|im_start\|>\s?(?:user|system)\b", re.IGNORECASE)
ANSWER = re.compile(r"\s{0,20}(?:<(answer|response|final_answer)>|<\|START_(RESPONSE|TEXT)\|>)")
ANSWER_LINE = re.compile(
    r"^[ \t]{0,20}(?:\[(?:final[ _])?answer\]|(?=<(?:answer|response|final_answer)>))"
    r"|(?=<\|START_RESPONSE\|>)",
    re.IGNORECASE | re.MULTILINE,
)
"""What ends a thought that is not closed."""
CHANNEL, MESSAGE, FINAL, COMMENTARY = "<|channel|>", "<|message|>", "final", "commentary"
ADDRESSED = "to="
"""In the header of a call, before its channel or within it."""
TURN, AUTHOR = "<|start|>", "assistant"
_ENDS = ("<|end|>", "<|return|>", "<|call|>", TURN)
END = re.compile("|".join(map(re.escape, _ENDS)))
CLOSED = re.compile(
    rf"(?:(?:</(?:answer|response|final_answer)>|<\|END_(?:RESPONSE|TEXT)\|>|{END.pattern})"
    r"\s{0,20}){1,4}\Z"
)
"""What may follow the last word of an answer."""
# What is left of the channels where a server drops the special tokens.
BARE_ANALYSIS, BARE_FINAL = "analysis", "assistantfinal"
PROCESS = re.compile(r"\s{0,20}Here(?: is|'s) my thought process:", re.IGNORECASE)
RESPONSE = re.compile(r"Here(?: is|'s) my response:\s*", re.IGNORECASE)
"""Granite's marks of a thought and of the answer after it."""
_BEGINNINGS = ("here is my thought process:", "here's my thought process:")
MARKS = (
    *(f"[{name}]" for name in _IN_BRACKETS),
    *(f"[/{name}]" for name in _IN_BRACKETS),
    *("<details", "<answer>", "<response>", "<final_answer>"),
    *("```think", "```thought", "```reasoning", "</details"),
    *_PLAIN_OPENING,
    *_PLAIN_CLOSING,
    *CALL_BEGINNINGS,
    *TOKEN_BEGINNINGS,
)
"""How a mark may begin that is no tag of a thought or call, in lower case; models write any."""
_MARK = re.compile(
    rf"{'|'.join(map(re.escape, sorted(MARKS)))}|(?:<|&lt;)/?{_ANY}|{CALL.pattern}"
    rf"|{LOOSE.pattern}|{BARE_IN_TEXT}",
    re.IGNORECASE,
)
_PARTS = frozenset(mark[:length] for mark in MARKS for length in range(1, len(mark)))
_LONGEST_PART = max(map(len, _PARTS))
_UNFINISHED = re.compile(
    r"(?:&(?:l(?:t;?)?)?|(?:&lt;/?[\w:|\uff5c-]{1,50}|</?[\w:|\uff5c-]{0,50})"
    r"(?:\s{1,3}(?:n(?:a(?:me?)?)?)?|&(?:g(?:t?)?)?)?)\Z"
)
_LONGEST_UNFINISHED = 60


def safe_length(text: str, *, begins: bool) -> int:
    """Return how much of an answer's beginning can be shown before the rest is known.

    All before the first mark of a thought, a call or a turn's end, or before what may become one,
    without the blanks and quotation marks in front of that, which may go with it. Nor a last end of
    a line, after which JSON may begin one.

    Args:
        text: The answer so far, or what of it is not shown yet.
        begins: Whether the answer begins with it.
    """
    if begins and (_may_begin(text, (BARE_ANALYSIS,)) or _may_begin(text.lstrip(), _BEGINNINGS)):
        return 0
    found = _MARK.search(text)
    safe = found.start() if found else len(text)
    if tail := _UNFINISHED.search(text, max(0, len(text) - _LONGEST_UNFINISHED)):
        safe = min(safe, tail.start())
    for at in range(max(0, len(text) - _LONGEST_PART), safe):
        if text[at:].lower() in _PARTS:
            safe = at
            break
    kept = len(text[:safe].rstrip(" \t\n`"))
    if safe == len(text):  # as most words end
        kept = len(text) - len(text[kept:].lstrip(" \t"))
    return max(kept, safe - _LONGEST_UNFINISHED)


def _may_begin(text: str, beginnings: tuple[str, ...]) -> bool:
    for one in beginnings:
        ahead = text[: len(one)]
        if one.startswith(ahead if one == BARE_ANALYSIS else ahead.lower()):
            return True
    return False
