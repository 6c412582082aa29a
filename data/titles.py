"""Names as people write them: no HTML entities, the article in front, the year apart."""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_YEAR = re.compile(r"\s*\(([12][0-9]{3})(?:\s*[-\u2013][0-9]{0,4}\s*)?\)\s*$")
# "I" and "As" are left alone: in English titles they are seldom articles.
_ARTICLE = re.compile(
    r"(?:^|(?<=\())(?P<name>[^()]+), "
    r"(?P<article>The|An?|L[aeo]s?|L'|Il|El|Gli|D(?:er|as|ie|e[nt])|Une?|Una|Eine?)"
    r"(?=\s*(?:[()]|$))"
)
_OPENING = re.compile(r"^\s*(?:a\.k\.a\. )?")


def clean_title(text: str) -> str:
    """Return a name with HTML entities resolved and runs of white space closed up.

    Only entities that end in a semicolon are resolved, so that "R&D" and "AT&T" stay as they are.

    Args:
        text: The name as a file gives it.
    """
    return " ".join(_ENTITY.sub(lambda found: html.unescape(found[0]), text).split())


def split_year(title: str) -> tuple[str, int | None]:
    """Take the year off the end of "Heat (1995)" or "Cosmos (2006-2007)" (then the first one).

    Args:
        title: A title in the manner of MovieLens.

    Returns:
        The title without the year, and the year or `None`.
    """
    found = _YEAR.search(title)
    if found is None or not title[: found.start()].strip():
        return title.strip(), None
    return title[: found.start()].strip(), int(found[1])


def article_first(title: str) -> str:
    """Turn "Matrix, The" into "The Matrix", also within brackets.

    Args:
        title: A title without its year.
    """
    return _ARTICLE.sub(_moved, title)


def _moved(found: re.Match[str]) -> str:
    name, article = found["name"], found["article"]
    opening = _OPENING.match(name)
    start = opening.end() if opening else 0
    gap = "" if article.endswith("'") else " "
    return f"{name[:start]}{article}{gap}{name[start:]}"
