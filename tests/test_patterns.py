"""No pattern of the package takes more than linear time: `re` holds the GIL while it searches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import re2llm
from langchain_core.messages import AIMessage, HumanMessage
from pattern_timing import patterns_of, slow_text
from re2llm.knowledge.leaks.filter import LeakFilter
from re2llm.knowledge.titles.search import TitleSearch
from re2llm.llm.hints.answers import read_hints
from re2llm.llm.hints.repeat_answers import read_repeated
from re2llm.llm.offline.reading import read_ranking_task
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.llm.ratings.answers import read_rating, strict_rating
from re2llm.llm.responses import answer_text
from re2llm.records import Item, RatingScale

ROOT = Path(re2llm.__file__).parent
PARTS = 8


@cache
def every_pattern() -> dict[str, re.Pattern[str]]:
    return patterns_of(ROOT)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_every_pattern_takes_linear_time(part: int) -> None:
    patterns = every_pattern()
    assert len(patterns) > 60
    mine = sorted(patterns.items())[part::PARTS]
    assert {place: text for place, one in mine if (text := slow_text(one))} == {}


@pytest.mark.long
@pytest.mark.parametrize(
    "planted",
    [
        r"(?m)^\s*(?:[-*•]\s*)?(?:\*\*)?#?(\d{1,6})\b",
        r"<\s*/?\s*(?:match|rate)\s*>",
        r"(?:is)?[\"'*_:=\s]*(?:of)?[\"'*_:=\s]*(\d)",
        r"\bseen\b.*\bbefore\b",
        r"\s+$",
        r"(a+)+b",
        r"(?s)<!--.*?-->",
        r"\w+@\w+",
        r"(?s)\A.*?x.*?y",
        r",\s*(?:the)?\s*$",
    ],
)
def test_a_planted_pattern_is_found(planted: str) -> None:
    assert slow_text(re.compile(planted))


@pytest.mark.parametrize(
    "harmless", [r"\w+", r"[^\S\n]{0,5}+\d{1,6}", r"<(?=\||/?s>)", r"(?:a|b)+", r"(?<!\s)\s++[a-z]"]
)
def test_a_linear_pattern_passes(harmless: str) -> None:
    assert slow_text(re.compile(harmless)) is None


def test_patterns_are_found_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(
        'import re\n_SPACE = r"\\s"\n_ALL = {"a": re.compile("x" + _SPACE)}\n'
        "class Holder:\n    own = re.compile('held', re.IGNORECASE)\n\n"
        'def find(text, word):\n    return re.search(rf"{re.escape(word)}{_SPACE}*z", text)\n'
    )
    found = patterns_of(tmp_path)
    assert {one.pattern for one in found.values()} == {"x\\s", "held", "ab\\s*z"}


LARGE = [
    *(" " * 100_000, "\n" * 100_000, "[" * 100_000, '{"a":' * 30_000, '"' * 100_000, "<" * 100_000),
    *("&amp;" * 20_000 + "lt;", "&" + "amp;" * 25_000, "&" + "#38;amp;" * 12_000),
    *("1. " * 30_000, "a " * 50_000, "a: " * 30_000, "(a) " * 25_000, "\u00e9," * 50_000),
    *("rate " * 20_000, "<rate>" * 16_000, "- 1\n" * 25_000, "[1," * 30_000, "<think>" * 14_000),
    *('{"ranking": ' * 8_000, "Alien\n" * 16_000, "9" * 100_000, '{"rank": 1},' * 8_000),
]
ITEMS = [Item(str(n), f"Alien {n}: The Return of {n * n}") for n in range(300)]
TITLES, LEAKS = TitleSearch(ITEMS), LeakFilter(ITEMS)
READERS: dict[str, Callable[[str], object]] = {
    "ranking": lambda text: read_ranking(text, 50),
    "titles": lambda text: read_titles(text, ITEMS),
    "rating": lambda text: read_rating(text, RatingScale()),
    "strict rating": lambda text: strict_rating(text, RatingScale()),
    "hints": read_hints,
    "repeated": lambda text: read_repeated(text, 5),
    "answer": lambda text: answer_text(AIMessage(text)),
    "search": TITLES.find,
    "leak": lambda text: LEAKS.leak(text, target=ITEMS[0], ids=["7"]),
    "short leak": lambda text: LEAKS.leak(text[:1000], target=ITEMS[0], ids=["7"]),
    "catalogue": lambda text: LeakFilter([Item("1", text, {"kind": text})]),
    "offline": lambda text: read_ranking_task([HumanMessage(text)]),
}


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS)
def test_large_texts_are_read_in_no_time(reader: str) -> None:
    for text in LARGE:
        started = time.thread_time()
        READERS[reader](text)
        taken = time.thread_time() - started
        assert taken < 2.0, f"{text[:20]!r} took {taken:.1f} s"
