"""Reads a ranking from a sentence: its numbers, if they mean candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from .entries import EntryReader
from .key_names import Counted, counted_by
from .measures import names_score
from .names import names_no_ranking
from .number_groups import may_mention
from .numbers import FEW, POINTED, counts_down, counts_up

NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]{0,9}\d)")
RANGE = re.compile(
    r"\d\]?\s?<\s?\[?\d|(?<![\d-])\d{1,6}\s?(?:[-\u2013\u2014]|to|through|until|bis)\s?\d{1,6}"
    r"(?!\s?[-\u2013\u2014\d])|^\W{0,5}\d{1,6}\s?(?:[-=]>|=)\s?\d{1,6}\W{0,5}$",
    re.IGNORECASE | re.MULTILINE,
)
"""Ranges (`3-7`), chains with the best last (`3 < 7`), and pairs in which either number may be the
place (`3 -> 7`)."""
_COUNT = re.compile(
    r"\b(?:step|page|part|section|chapter|version|limit)\s\d|[\u20ac\u00a3]\s?\d|\$\d{1,6}\b[^$>]{1,9}\$\d|\d\s?[%\u00b0\u20ac\u00a3]"
    r"|\d\s?[+*]\s?\d|\d:\d|\d{4}-\d|\b(?:compar|consider|between\b|versus\b|vs\b|unlike\b|similar)"
    r"|\b(?:top|of(?:\s(?:the|all|these|my))?|all|the\s(?:first|last|best|other)|these)\s\d{1,6}\b"
    r"|(?<![\w.])\d{1,6}\s(?:of|more|others?|(?!fits|is\b|comes|goes|seems|looks|suits|matches|has\b"
    r"|was\b|as\b|gets)[a-z]{3,20}s)\b|[^\W\d]\d|\d(?!st\b|nd\b|rd\b|th\b)[^\W\d]",
    re.IGNORECASE,
)
"""Counts, and numbers that are part of a word."""
_WORDED = re.compile(
    r"(?<![^\W\d])((?:[^\W\d_]{1,20}\s)?(?:[^\W\d_]{1,20}[.\u00b0]?|\u2116))"
    r"\s?#?\d{1,6}[*_]{0,3}\s?[:=(]"
)
_LABELLED = re.compile(r"\W{0,6}([^\W\d_]{1,20}(?:\s[^\W\d_]{1,20})?)[*_]{0,3}\s?[:=\u2013\u2014-]")
NUMBERING = re.compile(r"(?<!\w)\d{1,3}[.):][*_]{0,2}\s{1,3}[*_\"']{0,3}(?=[^\W\d])")
_AFTER = re.compile(
    r"(?:st|nd|rd|th|er|\.?[\u00ba\u00aa])?[\s:.)\]*_\"'=|>\u2013\u2014-]{1,9}([^\W\d][^,;\n]{0,200})",
    re.IGNORECASE,
)
"""Text after a number, such as a title."""
_MOST = 1_000


def read_sentence(text: str, reader: EntryReader) -> Sequence[int]:
    """Return the candidates' numbers in a sentence, best first; none if it is doubtful.

    Args:
        text: Any text that is no list.
    """
    numbers = [*islice(NUMBER.finditer(text), _MOST)]
    if may_mention(text, numbers) or _contradicts(text, numbers, reader):
        return ()
    return _numbers_in(text, reader)


def _numbers_in(text: str, reader: EntryReader) -> Sequence[int]:
    numbers = [int(found) for found in NUMBER.findall(text)]
    pointed = [int(found) for found in POINTED.findall(text)]
    if pointed and len(pointed) * 2 > len(numbers):
        numbers = pointed
    elif RANGE.search(text) or _COUNT.search(text) or reader.names_number(text):
        return ()
    if len(numbers) > FEW and len(numbers) % 2 == 0:
        # "1: 8, 2: 7" and "8 (1), 7 (2)": half of the numbers are places.
        if counts_down(numbers[::2]) or counts_down(numbers[1::2]):
            return ()
        for places, named in ((numbers[::2], numbers[1::2]), (numbers[1::2], numbers[::2])):
            if counts_up(places) and not counts_up(named):
                if _names_scores(text) or _is_labelled(text) or reader.may_be_scores(named):
                    return ()
                numbers = named
                break
    if len(numbers) > FEW and counts_up(numbers) and _is_of_places(text):
        return ()
    if _has_words_for_places(text, len(numbers)) or (
        pointed == numbers and len(numbers) > FEW and counts_up(numbers)
    ):
        return ()  # "choice #1", "choice #2": what is pointed to may be places
    valid = [number for number in numbers if 1 <= number <= (reader.candidates or number)]
    # What is said twice may be a place and a candidate.
    return numbers if valid and len(set(valid)) == len(valid) else ()


def _contradicts(text: str, numbers: Sequence[re.Match[str]], reader: EntryReader) -> bool:
    """Whether a number stands right before the title of another candidate, as a place does."""
    behind = (_AFTER.match(text, number.end()) for number in numbers)
    named = (reader.title_in(said[1]) if said else 0 for said in behind)
    return any(title not in {0, int(n[0])} for n, title in zip(numbers, named, strict=True))


def _is_of_places(text: str) -> bool:
    """Whether numbers that count up belong to scores, or number the entries of a list."""
    return re.search(r"\d\.\d|</", text) is not None or len(NUMBERING.findall(text)) > 1


def _has_words_for_places(text: str, most: int) -> bool:
    """Whether each line begins with a word of its own: "Best: 8", "Worst: 7"."""
    labels = [label[1].casefold() for line in text.split("\n") if (label := _LABELLED.match(line))]
    return len(labels) > 1 and len(set(labels)) == len(labels) == most


def _names_scores(text: str) -> bool:
    first = NUMBER.search(text)
    before = text[: first.start()] if first else ""
    return names_score(before) and names_no_ranking(before)


def _is_labelled(text: str) -> bool:
    """Whether words that stand for no place, and so perhaps for a candidate, begin the pairs."""
    words = _WORDED.findall(text)
    return len(words) > 1 and not all(counted_by(word) is Counted.PLACE for word in words)
