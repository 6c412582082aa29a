"""Cleans titles: resolves HTML entities, moves the article to the front, splits off the year."""

from __future__ import annotations

import html
import re

_LONGEST = 2_000
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_YEAR = re.compile(r"(?<!\s)\s*+\(([12][0-9]{3})(?:\s*[-\u2013][0-9]{0,4}\s*)?\)\s*$")
# "I" and "As" are left alone: in English titles they are seldom articles.
_ARTICLE = re.compile(
    r"(?:^|(?<=\())(?P<name>[^()]+), "
    r"(?P<article>The|An?|L[aeo]s?|L'|Il|El|Gli|D(?:er|as|ie|e[nt])|Une?|Una|Eine?)"
    r"(?=\s*(?:[()]|$))"
)
_OPENING = re.compile(r"^\s*(?:a\.k\.a\. )?")


def clean_title(text: str) -> str:
    """Resolve HTML entities and collapse runs of white space.

    Only the first 2,000 characters of a title are kept.
    """
    return " ".join(without_entities(text).split())[:_LONGEST].rstrip()


def without_entities(text: str) -> str:
    """Resolve HTML entities: `M&uuml;ller`.

    Only those that end in a semicolon are resolved, so that "R&D" and "AT&T" stay as they are.
    """
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


def split_year(title: str) -> tuple[str, int | None]:
    """Split "Heat (1995)" into title and year, "Cosmos (2006-2007)" into title and first year."""
    found = _YEAR.search(title)
    if found is None or not title[: found.start()].strip():
        return title.strip(), None
    return title[: found.start()].strip(), int(found[1])


def article_first(title: str) -> str:
    """Turn "Matrix, The", without its year, into "The Matrix", also within brackets."""
    return _ARTICLE.sub(_moved, title)


def _moved(found: re.Match[str]) -> str:
    name, article = found["name"], found["article"]
    opening = _OPENING.match(name)
    start = opening.end() if opening else 0
    gap = "" if article.endswith("'") else " "
    return f"{name[:start]}{article}{gap}{name[start:]}"
