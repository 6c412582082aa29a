"""Says what a feature measures as a person would who gives advice: "Prefer recent titles"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .clauses import AGAINST, asks_gently, clauses

_RIGHT = r"(is|was|are|were|has been) "
# Of what the prompt says that a number means, the noun phrase that asks for high values.
_WANTED: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"(what .{1,80})"), r"\1"),
    (re.compile(rf"how often it {_RIGHT}(.{{1,80}})"), r"what \1 often \2"),
    (
        re.compile(
            rf"how much more often (?:than \w{{1,30}}(?: \w{{1,30}})? )?it {_RIGHT}(.{{1,80}})"
        ),
        r"what \1 unusually often \2",
    ),
    (re.compile(r"how (?:many|much) (.{1,80}) it"), r"what many \1"),
    (
        re.compile(r"(?:the )?(?:share|number|part) of (.{1,80}) (?:that|who) (.{1,80}) it"),
        r"what many \1 \2",
    ),
    (re.compile(r"how (well|long|fast|soon|much) it (\w{1,30})( .{1,80})?"), r"what \2\3 \1"),
    (re.compile(r"how (\w{1,30}) it (\w{1,30})( .{1,80})?"), r"what \2 \1\3"),
)
WELL_KNOWN = "well-known titles"
_OTHERS_DID = re.compile(r"what (?:people|others|users|customers|many|most|usually)\b")
_ASKS = re.compile(
    r"(?:(?:slightly )?prefer|(?:slightly )?trust|lean (?:slightly )?towards|"
    r"give (?:slight |more )?weight to) ",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")


def advice(phrase: str, *, gently: bool = False) -> str:
    """Phrase an imperative, without a full stop.

    Args:
        phrase: What to prefer, as a noun phrase.
        gently: Whether to ask for little.
    """
    if _OTHERS_DID.match(phrase):
        return f"Lean slightly towards {phrase}" if gently else f"Trust {phrase}"
    return f"Slightly prefer {phrase}" if gently else f"Prefer {phrase}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a clause asks for.

    Attributes:
        phrase: Its words after the verb, in lower case.
        gently: Whether it asks for little.
    """

    phrase: str
    gently: bool


def wanted(clause: str) -> Wanted | None:
    """Read a clause such as `advice` writes, or `None` if it begins otherwise."""
    found = _ASKS.match(clause)
    if found is None:
        return None
    return Wanted(clause[found.end() :].rstrip(" .!").lower(), asks_gently(found[0]))


@lru_cache(maxsize=1_000)  # the same stats occur in prompt after prompt
def wanted_evidence(meaning: tuple[str, ...], word: str) -> str:
    """Return what somebody prefers who trusts a kind of evidence.

    Args:
        meaning: What the prompt says about it, phrase by phrase.
        word: The evidence's name, as from `field_words`.
    """
    if any("popular" in phrase for phrase in meaning):
        return WELL_KNOWN
    for pattern, noun in _WANTED:
        for phrase in meaning:
            found = pattern.fullmatch(phrase.strip().rstrip("."))
            said = found.expand(noun) if found else ""
            if said and _is_plain(said):
                return said
    return high(word)


def high(word: str) -> str:
    """Return the phrase for a large number, such as "a high score"."""
    return f"{_article(word)}high {word}"


def low(word: str) -> str:
    """Return the phrase for a small number."""
    return f"{_article(word)}low {word}"


def close(word: str) -> str:
    """Return the phrase for a number like those of the history."""
    if _is_plural(word):
        return f"{word} close to those of the history"
    article = "an" if word[:1].lower() in "aeiou" else "a"
    return f"{article} {word} close to that of the history"


@lru_cache(maxsize=10_000)  # the same values and names occur in prompt after prompt
def one_value(word: str, value: str) -> str:
    """Return the phrase for one value of an attribute, such as "the genre Comedy"."""
    return f"the {_singular(word)} {_held_together(_words(value))}"


@lru_cache(maxsize=10_000)
def field_words(name: str) -> str:
    """Return a field's name as words: `criticsScore` and `critics_score` are a "critics score"."""
    return _held_together(_words(_CAMEL.sub(" ", name)).lower())


def _words(text: str) -> str:
    return " ".join(_NO_WORD.sub(" ", text).split()) or text


def _held_together(words: str) -> str:
    """Hyphenate words that would begin a clause, as in `is_not_new`."""
    return words if _is_one_clause(f"a {words} a") else words.replace(" ", "-")


def _is_plain(phrase: str) -> bool:
    """Whether it can be used in a sentence that asks for it, and turns no direction itself."""
    return _is_one_clause(phrase) and not AGAINST.search(phrase) and not asks_gently(phrase)


def _is_one_clause(phrase: str) -> bool:
    return clauses(phrase) == [phrase]


def _article(word: str) -> str:
    return "" if _is_plural(word) else "a "


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is"))


def _singular(word: str) -> str:
    if not _is_plural(word) or word.endswith("series"):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
