"""Ranks candidates by the log-probabilities of their letters as the first word of an answer.

The answer is one token long; a server that gives the likeliest alternatives to it says what the
model thinks of up to 20 candidates at once.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langchain_core.messages import BaseMessage

from ...records import is_number
from ..ranking_answers.answers import RankingAnswer
from ..text.json_values import is_list, is_object
from ..text.thoughts import said_from

LETTERS = "ABCDEFGHIJKLMNOPQRST"
"""The labels of candidates: as many as servers give alternatives to a token."""

_LOGPROBS, _BELOW = "logprobs", "below"
_AROUND = " \t\r\n\u2581\u0120\u010a\u200b\u2060\ufeff.,:;!?)(][}{'\"`*_|#$-"
"""What may surround a letter in a token, the blanks of raw vocabularies among it."""
_RAW = re.compile(r"(?:bytes:)?(?:(?:\\x|<0x)[0-9A-Fa-f]{2}>?){1,8}")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")
_ARTICLE = re.compile(
    r"[^\W\d_]|['\u2019]\w|\s{1,3}(?!is\b|because|since|as\b|seems|fits|has\b|comes|then\b)[a-z]"
)
"""What follows "A" and "I" if they are words."""
_PART = re.compile(r"(?![\u0120\u010a])['\u2019\w]")
"""How a token begins that continues a word."""
_STEP = 1.0
"""A letter that is not among the alternatives gets this much less than the least of them."""
_DEEPEST = -20.0
"""Below this, log-probabilities are equal: servers write -9999 for none."""
_NOTHING, _SLIP = -100.0, 0.01
"""If all letters are below the first, or one is above the second, nothing is known about them."""
_MOST_TOKENS = 2_000
"""Most tokens to read of an answer that should have one."""
_MOST_ALTERNATIVES = 1_000
"""Most alternatives to read of a token; servers give 20 at most."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of an answer, and the alternatives to it with their log-probabilities.

    Attributes:
        text: What it writes.
        alternatives: Each once.
        known: Whether they say how likely the token itself is, or leave it out as less likely.
    """

    text: str
    alternatives: Mapping[str, float]
    known: bool


def letters_answer(message: BaseMessage) -> str:
    """Return what an answer's log-probabilities say of the letters, as JSON.

    Returns:
        Empty if the server gave no log-probabilities. No letters if none is among the alternatives.
    """
    tokens = list(_tokens(message.response_metadata.get("logprobs")))
    if not any(token.alternatives for token in tokens):
        return ""
    said = _after_thoughts(tokens)
    named = (token for place, token in enumerate(said) if _is_label(said, place))
    some = (token for token in said if _of_letters(token))
    token = next(named, None) or next(some, None)
    letters = _of_letters(token) if token and token.known else {}
    if token is None or not letters or max(letters.values()) < _NOTHING:
        return json.dumps({_LOGPROBS: {}})
    return write_letters(letters, min(token.alternatives.values()))


def alternatives(message: BaseMessage) -> int:
    """Return how many alternatives to its first token an answer holds."""
    first = next(_tokens(message.response_metadata.get("logprobs")), None)
    return len(first.alternatives) if first else 0


def write_letters(scores: Mapping[str, float], below: float) -> str:
    """Write log-probabilities of letters as `read_letters` reads them.

    Args:
        scores: The score of each letter.
        below: What a letter that is not among them has at most.
    """
    rounded = {letter: round(scores[letter], 4) for letter in sorted(scores)}
    return json.dumps({_LOGPROBS: rounded, _BELOW: round(below, 4)})


def has_letters(text: str) -> bool:
    """Return whether an answer says anything of letters."""
    return bool(_written(text)[0])


def read_letters(text: str, candidates: int) -> RankingAnswer:
    """Rank candidates by what `letters_answer` or `write_letters` wrote.

    Args:
        candidates: How many there are, labelled from `A`.

    Returns:
        The candidates whose letters are known, the likeliest first, equals in the prompt's order.
        `scores` has a value for each candidate: its log-probability among the candidates.
    """
    known, below = _written(text)
    places = {LETTERS.index(letter): value for letter, value in known.items()}
    places = {place: value for place, value in places.items() if place < candidates}
    if not places:
        return RankingAnswer((), well_formed=False, repeated=0, invented=0, missing=1)
    total = log_sum_exp(places.values())
    seen = {place: max(value - total, _DEEPEST) for place, value in places.items()}
    least = min(*seen.values(), max(below - total, _DEEPEST)) - _STEP
    scores = tuple(seen.get(place, least) for place in range(candidates))
    ranked = sorted(seen, key=lambda place: (-seen[place], place))
    numbers = tuple(place + 1 for place in ranked)
    likeliest = max(known, key=lambda letter: known[letter])
    invented = int(LETTERS.index(likeliest) >= candidates)
    told = len(known) == 1 or min(known.values()) < 0  # several cannot all be certain
    return RankingAnswer(
        numbers, well_formed=told, repeated=0, invented=invented, missing=0, scores=scores
    )


def letter_of(token: str) -> str:
    """Return the letter that a token writes, as in ` A`, `a` or `A.`; empty for any other."""
    letter = unicodedata.normalize("NFKC", token).strip(_AROUND).upper()
    return letter if len(letter) == 1 and letter in LETTERS else ""


def log_sum_exp(values: Iterable[float]) -> float:
    """Add probabilities.

    Args:
        values: Their logarithms, at least one.
    """
    listed = list(values)
    most = max(listed)
    return most + math.log(math.fsum(math.exp(value - most) for value in listed))


def _is_label(tokens: Sequence[_Token], place: int) -> bool:
    """Whether a token writes a candidate's letter, and is no word or the beginning of one."""
    letter = letter_of(tokens[place].text)
    after = "".join(token.text for token in tokens[place + 1 : place + 4])
    before = tokens[place - 1].text[-1:] if place else ""
    part = before.isalnum() and _PART.match(tokens[place].text)
    if not letter or part or (letter in "AI" and _ARTICLE.match(after)):
        return False
    return bool(_of_letters(tokens[place])) or not tokens[place].known


def _of_letters(token: _Token) -> dict[str, float]:
    variants: dict[str, list[float]] = {}
    for text, value in token.alternatives.items():
        if letter := letter_of(text):
            variants.setdefault(letter, []).append(value)
    return {letter: min(log_sum_exp(values), 0.0) for letter, values in variants.items()}


def _after_thoughts(tokens: Sequence[_Token]) -> list[_Token]:
    """Return the tokens of what a reasoning model says after it has thought."""
    start = said_from("".join(token.text for token in tokens))
    kept: list[_Token] = []
    at = 0
    for token in tokens:
        at += len(token.text)
        if at > start:
            kept.append(token)
    return kept


def _tokens(held: Any) -> Iterator[_Token]:
    """Read OpenAI's form, and the older one of parallel lists, which some servers still send."""
    if not is_object(held):
        return
    content = held.get("content")
    if is_list(content) and content:
        for entry in content[:_MOST_TOKENS]:
            if is_object(entry):
                yield _token(_text(entry), entry.get("logprob"), entry.get("top_logprobs"))
        return
    texts, values, tops = (held.get(key) for key in ("tokens", "token_logprobs", "top_logprobs"))
    if is_list(texts) and is_list(tops):
        own = values if is_list(values) else [None] * len(texts)
        for text, value, top in list(zip(texts, own, tops, strict=False))[:_MOST_TOKENS]:
            yield _token(_text({"token": text}), value, top)


def _token(text: str, value: Any, top: Any) -> _Token:
    pairs: list[tuple[str, Any]] = []
    if is_object(top):
        listed = islice(top.items(), _MOST_ALTERNATIVES)
        pairs = [(_text({"token": key}), odds) for key, odds in listed]
    elif is_list(top):
        entries = (one for one in top[:_MOST_ALTERNATIVES] if is_object(one))
        pairs = [(_text(one), one.get("logprob")) for one in entries]
    listed_too = text in [other for other, _ in pairs]
    if pairs and not listed_too:
        pairs.append((text, value))  # what was sampled need not be among the likeliest
    alternatives: dict[str, float] = {}
    for other, odds in pairs:
        number = _log_probability(odds)
        if number is not None:
            alternatives[other] = max(number, alternatives.get(other, number))
    return _Token(text, alternatives, known=text in alternatives or not listed_too)


def _text(entry: Mapping[str, Any]) -> str:
    """Return what a token writes; some servers send numbers or bytes in place of its text."""
    text, codes = entry.get("token"), entry.get("bytes")
    raw = not isinstance(text, str) or text.startswith("token_id:") or _RAW.fullmatch(text)
    if not raw:
        return str(text)
    if is_list(codes) and all(type(code) is int and 0 <= code < 256 for code in codes):  # noqa: PLR2004
        return bytes(codes).decode(errors="replace")
    written = text if isinstance(text, str) and not text.startswith("token_id:") else ""
    return bytes(int(code, 16) for code in _HEX.findall(written)).decode(errors="replace")


def _log_probability(odds: Any) -> float | None:
    """Return a log-probability, `None` for what is none, such as a probability."""
    try:
        number = float(odds) if isinstance(odds, str) else odds
    except ValueError:
        return None
    return min(float(number), 0.0) if is_number(number) and number <= _SLIP else None


def _written(text: str) -> tuple[dict[str, float], float]:
    """Return the letters of a written answer, and what the others have at most."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}, 0.0
    listed = found.get(_LOGPROBS) if is_object(found) else None
    if not is_object(listed):
        return {}, 0.0
    known = {k: float(v) for k, v in listed.items() if k and letter_of(k) == k and is_number(v)}
    below = found.get(_BELOW)
    return known, float(below) if is_number(below) else 0.0
