"""Reads a ranking out of a list of titles, however it is numbered, quoted or set in bold.

It mends what the papers' code got wrong (cutting titles after the last ". ", splitting at ";",
HTML entities, numbering styles) and would rather leave a title unread than take it for another.
"""

# ruff: noqa: RUF001  # typographic quotes and dashes are what models write

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from ..records import Item
from .answers import RankingAnswer
from .json_values import is_list, is_object

LISTED = 10
"""How many titles the paper's prompt asks for."""

_MOST_LINES = 2_000
_LONGEST_LINE = 500
_NUMBERING = re.compile(
    r"^(?:[-*•–]\s+|#\s?\d{1,3}[.):\-]?\s+|\(\d{1,3}\)\s*|\[\d{1,3}\]\s*"
    r"|\d{1,3}\s?[.):\]]\s*|\d{1,3}\s[-–]\s|(?:output|answer|ranking)\s?:\s*)",
    re.IGNORECASE,
)
_WRAPPING = "*_`~\"'“”‘’«» \t"
_YEAR = re.compile(r"\s*[\(\[](\d{4})[\)\]]$")
_EXPLAINED = re.compile(r"\s+(?:[-–—]|\()\s?(?=[a-zà-ÿ])")
_FIRST_ARTICLE = re.compile(r"^(?:the|an?)\s+(.+)$")
_LAST_ARTICLE = re.compile(r"^(.+?),\s*(?:the|an?)$")
_WORD = re.compile(r"\w+")
_LEAST_LETTERS = 8
"""Shorter titles have too many neighbours to forgive them a misspelling."""
_LEAST_WORD = 5
_LONG_WORD = 9


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of an answer.

    Attributes:
        line: As the model wrote it.
        number: Of the candidate that it names, or `None`.
    """

    line: str
    number: int | None


def read_titles(text: str, candidates: Sequence[Item]) -> RankingAnswer:
    """Read an ordered list of titles.

    Args:
        text: The model's whole answer.
        candidates: In the order of their numbers.

    Returns:
        With `missing` counted against the `LISTED` titles that were asked for.
    """
    readings = title_readings(text, candidates)
    named = [reading.number for reading in readings if reading.number is not None]
    numbers = tuple(dict.fromkeys(named))
    unread = len(readings) - len(named)
    return RankingAnswer(
        numbers,
        well_formed=bool(named) and unread == 0,
        repeated=len(named) - len(numbers),
        invented=unread,
        missing=max(0, min(LISTED, len(candidates)) - len(numbers)),
    )


def title_readings(text: str, candidates: Sequence[Item]) -> list[Reading]:
    """Read an answer line by line.

    Args:
        text: The model's whole answer.
        candidates: In the order of their numbers.

    Returns:
        The lines that hold an entry. Of candidates with the same title, a line means the first
        that was not named yet.
    """
    titles = _Titles(candidates)
    lines = _entries(text, titles)
    used: set[int] = set()
    readings: list[Reading] = []
    for line in lines:
        found = titles.find(line)
        number = next((n for n in found if n not in used), found[0] if found else None)
        if number is not None:
            used.add(number)
        readings.append(Reading(line, number))
    # What stands before the first title or after the last is talk, unless it is numbered.
    named = [place for place, reading in enumerate(readings) if reading.number is not None]
    if not named:
        return readings
    first, last = named[0], named[-1]
    return [
        reading
        for place, reading in enumerate(readings)
        if first <= place <= last or _NUMBERING.match(reading.line)
    ]


class _Titles:
    """Finds candidates by title."""

    def __init__(self, candidates: Sequence[Item]) -> None:
        self._by_title: dict[str, list[int]] = {}
        self._years: dict[int, str] = {}
        for number, item in enumerate(candidates, start=1):
            title = _plain(item.title)
            year = _YEAR.search(title)
            self._years[number] = str(item.attributes.get("year", ""))
            # A title that carries its year is known without it, too.
            for key in {title, _YEAR.sub("", title)} if year else {title}:
                self._by_title.setdefault(key, []).append(number)
            if year:
                self._years[number] = year[1]
        self._turned: dict[str, list[int]] = {}
        for title, numbers in self._by_title.items():
            self._turned.setdefault(_without_article(title), []).extend(numbers)

    def find(self, line: str) -> list[int]:
        """Return the numbers of the candidates that a line may mean; none for a doubtful one."""
        spellings = list(_spellings(line))
        for spelling in spellings:
            found = self._exact(spelling)
            if found:
                return found
        return self._misspelt(spellings[-1]) if spellings else []

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
        near = [
            numbers
            for title, numbers in self._by_title.items()
            if _same_but_for_typos(_without_article(spelling), _without_article(title))
        ]
        return near[0] if len(near) == 1 else []


def _entries(text: str, titles: _Titles) -> list[str]:
    lines = [line.strip()[:_LONGEST_LINE] for line in text.splitlines()[:_MOST_LINES]]
    lines = [line for line in lines if line.strip(_WRAPPING)]
    listed = _json_titles(text)
    if listed is not None:
        return listed
    if len(lines) == 1 and not titles.find(lines[0]):
        return [part.strip() for part in re.split(r"\s*[;\n]\s*|,\s+", lines[0]) if part.strip()]
    return lines


def _json_titles(text: str) -> list[str] | None:
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        value = json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None
    if is_object(value):
        value = next((inner for inner in value.values() if is_list(inner)), None)
    if not is_list(value) or not value or not all(isinstance(entry, str) for entry in value):
        return None
    return [str(entry)[:_LONGEST_LINE] for entry in value[:_MOST_LINES]]


def _spellings(line: str) -> Iterator[str]:
    """Yield what a line may say, from all of it to what is left without its trimmings.

    A number in front may count places or belong to the title ("8. 8 Mile", "2001: A Space
    Odyssey"), so each step is a spelling of its own.
    """
    seen: set[str] = set()
    rest = line
    while rest and rest not in seen:
        seen.add(rest)
        yield _plain(rest)
        bare = rest.strip(_WRAPPING)
        if bare and bare != rest:
            rest = bare
            continue
        stripped = _NUMBERING.sub("", rest, count=1)
        if stripped != rest:
            rest = stripped
            continue
        unclosed = re.sub(r"[*_`]{1,3}", "", rest).strip(_WRAPPING)
        if unclosed and unclosed != rest:
            rest = unclosed
            continue
        rest = _EXPLAINED.split(rest, maxsplit=1)[0].strip(_WRAPPING)


def _plain(text: str) -> str:
    """Bring a title into the form in which titles are compared."""
    unescaped = html.unescape(html.unescape(text))
    folded = unicodedata.normalize("NFKC", unescaped).casefold()
    folded = folded.translate({ord("’"): "'", ord("‘"): "'", ord("–"): "-", ord("—"): "-"})
    return " ".join(folded.split()).removesuffix(".").strip()


def _without_article(title: str) -> str:
    """Return a title without its article: "the matrix" and "matrix, the" are one."""
    last = _LAST_ARTICLE.match(title)
    if last:
        return last[1]
    first = _FIRST_ARTICLE.match(title)
    return first[1] if first else title


def _same_but_for_typos(said: str, title: str) -> bool:
    """Whether two titles differ by slips of the pen alone.

    Word by word: numbers must be the same, short words too, and a longer one may differ by one or
    two letters within, but not by an ending, which makes "Aliens" of "Alien".
    """
    words, others = _WORD.findall(said), _WORD.findall(title)
    if len(words) != len(others) or sum(map(len, others)) < _LEAST_LETTERS:
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
