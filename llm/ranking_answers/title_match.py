"""Finds the candidate that a line means, or none where that is doubtful."""

# ruff: noqa: RUF001  # typographic quotes and dashes are what models write

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from rapidfuzz.distance import OSA

from ...records import Item
from ...title_words import DIGITS, without_accents
from ..text.plain_signs import plain_signs
from .title_facts import facts_of, factual_heads
from .title_reasons import heads

NUMBERING = re.compile(
    r"^(?:[-*•–]\s+|#\s?\d{1,3}[.):\-]?\s+|\(\d{1,3}\)\s*|\[\d{1,3}\]\s*"
    r"|(?:1000|\d{1,3})\s?[.):\]]\s*|\d{1,3}\s[-–]\s|(?:output|answer|ranking)\s?:\s*)",
    re.IGNORECASE,
)
WRAPPING = "*_`~\"'“”‘’«» \t"
_YEAR = re.compile(r"\s{0,9}[\(\[](\d{4})[\)\]]$")
_EXPLAINED = re.compile(r"\s{1,9}(?:[-–—]|\()\s?(?=[a-zà-ÿ])")
_FIRST_ARTICLE = re.compile(r"^(?:the|an?)\s+(.+)$")
_LAST_ARTICLE = re.compile(r"^(.+?),\s*(?:the|an?)$")
_WORD = re.compile(r"\w+")
_NO_TITLE = re.compile(r"[\[\]{}]|^[\W\d]*$")
"""Remains of JSON, and bare numbers, which are places and not titles such as "Nine"."""
_LONGEST = 500
"""Characters of a line or a title that are compared."""
_MOST_SPELLINGS = 12
_LEAST_LETTERS = 8
"""Shorter titles are not matched with typos, because too many are similar."""
_LEAST_WORD = 5
_LONG_WORD = 9


class Titles:
    """Finds candidates by title.

    Args:
        candidates: The candidates in the order of their numbers.
    """

    def __init__(self, candidates: Sequence[Item]) -> None:
        self._items = candidates
        self._facts: dict[int, frozenset[str]] = {}
        self._by_title: dict[str, list[int]] = {}
        self._years: dict[int, str] = {}
        self._found: dict[str, list[int]] = {}
        for number, item in enumerate(candidates, start=1):
            title = plain_title(item.title[:_LONGEST])
            year = _YEAR.search(title)
            self._years[number] = str(item.attributes.get("year", ""))
            # A title that carries its year is known without it, too.
            for key in {title, _YEAR.sub("", title)} if year else {title}:
                self._by_title.setdefault(key, []).append(number)
            if year:
                self._years[number] = year[1]
        self._loose: dict[str, set[int]] = {}
        for title, numbers in self._by_title.items():
            self._loose.setdefault(_loose(title), set()).update(numbers)
        self._words: dict[int, list[tuple[str, list[str]]]] = {}
        for title in self._by_title:
            words: list[str] = _WORD.findall(_without_article(title))
            self._words.setdefault(len(words), []).append((title, words))
        self._turned: dict[str, list[int]] = {}
        for title, numbers in self._by_title.items():
            self._turned.setdefault(_without_article(title), []).extend(numbers)

    def exact(self, text: str) -> list[int]:
        """Return the numbers of the candidates that are called exactly so."""
        return self._exact(plain_title(text[:_LONGEST]))

    def is_whole(self, line: str) -> bool:
        """Whether a line is a title and no more, but for a number in front."""
        return bool(self.exact(line) or self.exact(NUMBERING.sub("", line, count=1)))

    def find(self, line: str) -> list[int]:
        """Return the numbers of the candidates that a line may mean; none for a doubtful one.

        Args:
            line: An answer's line, with whatever surrounds the title.
        """
        if line not in self._found:
            self._found[line] = self._find(line)
        return self._found[line]

    def _find(self, line: str) -> list[int]:
        spellings = list(islice(_spellings(line[:_LONGEST]), _MOST_SPELLINGS))
        for spelling in spellings:
            found = self._exact(spelling)
            if found:
                return found
        for spelling in spellings:
            alike = self._loose.get(_loose(spelling), set())
            if len(alike) == 1 and _NO_TITLE.search(spelling) is None:
                return [*alike]
        misspelt = self._misspelt(spellings[-1]) if spellings else []
        return (
            misspelt
            or self._before_a_reason(line[:_LONGEST])
            or self._before_facts(line[:_LONGEST])
        )

    def _before_facts(self, line: str) -> list[int]:
        """Find the title at the beginning of a line if only its year or its genres follow."""
        numbered = line.strip(WRAPPING)
        for said in dict.fromkeys((numbered, NUMBERING.sub("", numbered, count=1))):
            for head, pieces in factual_heads(said):
                title = plain_title(re.sub(r"[*_`]{1,3}", "", head).strip(WRAPPING))
                found = [n for n in self._exact(title) if pieces and self._knows(n, pieces)]
                if found:
                    return found
        return []

    def _knows(self, number: int, pieces: Sequence[str]) -> bool:
        if number not in self._facts:
            self._facts[number] = facts_of(self._items[number - 1]) | {self._years[number]}
        return self._facts[number].issuperset(pieces)

    def _before_a_reason(self, line: str) -> list[int]:
        """Find the title at the beginning of a line, unless it may begin with a longer one."""
        numbered = line.strip(WRAPPING)
        for said in dict.fromkeys((numbered, NUMBERING.sub("", numbered, count=1))):
            plain = plain_title(said.strip(WRAPPING))
            for head in heads(said):
                title = plain_title(re.sub(r"[*_`]{1,3}", "", head).strip(WRAPPING))
                found = self._exact(title)
                if found:
                    longer = (t for t in self._by_title if len(t) > len(title))
                    return [] if any(map(plain.startswith, longer)) else found
        return []

    def _exact(self, spelling: str) -> list[int]:
        found = self._by_title.get(spelling) or self._turned.get(_without_article(spelling), [])
        year = _YEAR.search(spelling)
        if found or year is None:
            return found
        bare = _YEAR.sub("", spelling)
        named = self._by_title.get(bare) or self._turned.get(_without_article(bare), [])
        # Another year is another film.
        return [number for number in named if self._years[number] in {"", year[1]}]

    def _misspelt(self, spelling: str) -> list[int]:
        words: list[str] = _WORD.findall(_without_article(spelling))
        near = {
            number
            for title, others in self._words.get(len(words), ())
            if _same_but_for_typos(words, others)
            for number in self._by_title[title]
        }
        return list(near) if len(near) == 1 else []


def _spellings(line: str) -> Iterator[str]:
    """Yield the forms of a line, from the whole line to the bare title.

    A number in front may count places or belong to the title ("8. 8 Mile", "2001: A Space
    Odyssey"), so each step gives another spelling.
    """
    seen: set[str] = set()
    rest = line
    while rest and rest not in seen:
        seen.add(rest)
        yield plain_title(rest)
        bare = rest.strip(WRAPPING)
        if bare and bare != rest:
            rest = bare
            continue
        stripped = NUMBERING.sub("", rest, count=1)
        if stripped != rest:
            rest = stripped
            continue
        unclosed = re.sub(r"[*_`]{1,3}", "", rest).strip(WRAPPING)
        if unclosed and unclosed != rest:
            rest = unclosed
            continue
        rest = _EXPLAINED.split(rest, maxsplit=1)[0].strip(WRAPPING)


def plain_title(text: str) -> str:
    """Bring a title into the form in which titles are compared.

    Args:
        text: A text with any case, spacing, entities and typographic signs.
    """
    unescaped = plain_signs(html.unescape(html.unescape(text)))
    folded = unicodedata.normalize("NFKC", unescaped).casefold()
    folded = folded.translate({ord("’"): "'", ord("‘"): "'", ord("–"): "-", ord("—"): "-"})
    return " ".join(folded.split()).removesuffix(".").strip()


def _loose(title: str) -> str:
    """Return a title's letters and digits, without accents and with numerals as digits.

    Args:
        title: A title from `plain_title`.
    """
    plain = without_accents(_without_article(title)).replace("&", " and ").replace("'", "")
    words: list[str] = _WORD.findall(plain)
    return "".join(DIGITS.get(word, word) for word in words)


def _without_article(title: str) -> str:
    """Return a title without its article: "the matrix" and "matrix, the" are one."""
    last = _LAST_ARTICLE.match(title)
    if last:
        return last[1]
    first = _FIRST_ARTICLE.match(title)
    return first[1] if first else title


def _same_but_for_typos(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two titles differ by typos alone.

    They are compared word by word. Numbers and short words must be the same. A longer word may
    differ by one or two letters, but not by an ending, as "Alien" and "Aliens" do.
    """
    if sum(map(len, others)) < _LEAST_LETTERS:
        return False
    typos = 0
    for word, other in zip(words, others, strict=True):
        if word == other:
            continue
        typos += 1
        short = min(len(word), len(other))
        allowed = 2 if short >= _LONG_WORD else 1
        if (
            short < _LEAST_WORD
            or not (word.isalpha() and other.isalpha())
            or word.startswith(other)
            or other.startswith(word)
            or OSA.distance(word, other, score_cutoff=allowed) > allowed
        ):
            return False
    return typos <= 1
