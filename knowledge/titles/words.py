"""Titles and hints as comparable words, whatever their punctuation, case, accents or numerals."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from ...records import Item, spoken
from ...title_words import DIGITS

# Letters that look Latin.
_CYRILLIC = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
)
_GREEK = (
    "\u03bf\u03c1\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5"
    "\u03a7\u0396"
)
_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("`\u00b4\u2018\u2019\u201b\u2032\u02bc\u02b9\uff07", "'"),
        **dict.fromkeys(
            "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\uff02\u300c\u300d\u300e\u300f\u300a\u300b\u3008\u3009",
            '"',
        ),
        **dict(zip("øØłŁđĐð\u0131ħ", "oOlLdDdih", strict=True)),
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "þ": "th",
        "Þ": "Th",
        "¢": "c",
        **dict(zip(_CYRILLIC, "aeopcyxijsABEKMHOPCTYXIJS", strict=True)),
        **dict(zip(_GREEK, "opABEHIKMNOPTYXZ", strict=True)),
    }
)
_VARIANT = re.compile(
    r"LATIN (?:LETTER )?(?:CAPITAL|SMALL)(?: LETTER| CAPITAL)? ([A-Z])(?:LPHA)?(?: WITH |$)"
)
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Hangul letters without a shape."""
_SPACELESS = re.compile(r"([\u3040-\u30ff\u3400-\u9fff])")
_ENTITY = re.compile(r"&#?\w{1,32};")
_AMPERSANDS = re.compile(r"&(?:(?:amp|#0{0,6}38|#x0{0,6}26);)++", re.IGNORECASE)
_MOST_ROUNDS = 5
"""Rounds for an escape within an escape; one round takes all of `&amp;amp;lt;`."""
_LONGEST = 1_000
"""Characters of a title that count as its name."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|&")
ARTICLES = (
    r"the|an?|l[aeo]s?|l'|il|el|gli|d(?:er|as|ie|e[nt]?)|une?|una|eine?|ett?|een?|het|os?|as|uma?"
)
_ARTICLE_FIRST = re.compile(r"^\s*[\"']?(?:the|an?)\s+", re.IGNORECASE)
_ARTICLE_LAST = re.compile(rf",\s*(?:{ARTICLES})\s*$", re.IGNORECASE)
BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_ALSO = re.compile(r"^\s*a\.?k\.?a\.?\s+", re.IGNORECASE)
_PARTS = re.compile(r"(?:\sor)?:|;|,\sor\s|\s[-\u2010-\u2015\u2212|/~]+\s")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a hint.

    Attributes:
        key: The word in lower case, without accents and apostrophes.
        start: Where it begins in the cleaned text.
        end: Where it ends in the text.
        capital: Whether it is written with a capital.
        opens: Whether it begins a sentence, where a capital says nothing.
        possessive: Whether it ends in 's.
    """

    key: str
    start: int
    end: int
    capital: bool
    opens: bool
    possessive: bool


def clean(text: str) -> str:
    """Return text in plain letters: entities, widths, accents and look-alikes resolved."""
    if text.isascii() and "&" not in text and "`" not in text:
        return text
    plain = _unescape(text).translate(_LOOKALIKES)
    if plain.isascii():
        return plain
    plain = "".join(
        letter if letter.isascii() else _latin(letter)
        for letter in unicodedata.normalize("NFKD", plain)
        if unicodedata.category(letter) not in {"Mn", "Me", "Cf"}
    )
    # Once more: full-width letters can spell an entity.
    return _SPACELESS.sub(r" \1 ", _unescape(plain).translate(_LOOKALIKES))


@lru_cache(maxsize=4_096)
def _latin(letter: str) -> str:
    """Return the plain letter of which one is a variant: small capital, squared, with a hook."""
    found = _VARIANT.search(unicodedata.name(letter, ""))
    if found is None:
        return "" if letter in _FILLERS else letter
    return found[1] if "CAPITAL" in found[0] else found[1].lower()


def _unescape(text: str) -> str:
    """Resolve HTML entities however often they are escaped, and in whatever case."""
    text = _AMPERSANDS.sub("&", text)
    for _ in range(_MOST_ROUNDS):
        plain = html.unescape(_ENTITY.sub(lambda found: _entity(found[0]), text))
        if plain == text:
            break
        text = plain
    return text


def _entity(written: str) -> str:
    plain = html.unescape(written)
    return html.unescape(written.lower()) if plain == written else plain


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """Return the form in which words are compared.

    Args:
        word: A word from cleaned text.
    """
    return "and" if word == "&" else word.casefold().replace("'", "")


def words(text: str) -> list[str]:
    """Return the folded words of a cleaned text.

    Args:
        text: A text from `clean`.
    """
    return [fold(word) for word in _WORD.findall(text)]


def tokenise(text: str) -> list[Token]:
    """Return the words of a hint with what tells a name from ordinary words.

    Args:
        text: A text from `clean`.
    """
    tokens: list[Token] = []
    last = 0
    for found in _WORD.finditer(text):
        word = found[0]
        opens = not tokens or re.search(r"[.!?:;\u2022\n]", text[last : found.start()]) is not None
        last = found.end()
        possessive = word.lower().endswith("'s")
        tokens.append(Token(fold(word), found.start(), last, word[0].isupper(), opens, possessive))
    return tokens


def numbered(keys: Iterable[str]) -> str:
    """Join words with Roman and spelt numerals as digits.

    Args:
        keys: Folded words.
    """
    return "".join(DIGITS.get(key, key) for key in keys)


@dataclass(frozen=True, slots=True)
class Name:
    """What an item is called, or a part of it that stands for it.

    Attributes:
        words: Folded, without a leading article.
        aside: Whether it is a subtitle or a bracket, which many items may share.
        first: Whether it is the part before a subtitle, which a whole series may share.
    """

    words: tuple[str, ...]
    aside: bool = False
    first: bool = False


def names(item: Item) -> Iterator[Name]:
    """Yield each way to call an item: in full, without brackets and platform, each part alone.

    Args:
        item: Its title may carry "(1995)", "[Download]", "- PC" or ", The".
    """
    own = [words(clean(spoken(value))) for value in item.attributes.values()]
    for title in (item.title, *_other_titles(item)):
        text = clean(title[:_LONGEST])
        yield from _name(text, own)
        outside = BRACKETS.sub(" ", text)
        if outside != text:
            yield from _name(outside, own)
            for inside in BRACKETS.findall(text):
                yield from _name(_ALSO.sub("", inside), own, aside=_ALSO.match(inside) is None)
        parts = _PARTS.split(outside)
        for place, part in enumerate(parts[: len(parts) if len(parts) > 1 else 0]):
            yield from _name(part, own, aside=place > 0, first=place == 0)


def without_article(text: str) -> str:
    """Return a cleaned title without its article: "The Matrix" and "Matrix, The" as "Matrix"."""
    return _ARTICLE_FIRST.sub("", _ARTICLE_LAST.sub("", text))


def _other_titles(item: Item) -> Iterator[str]:
    for name, value in item.attributes.items():
        if "title" in name.lower() and isinstance(value, str):
            yield value


def _name(
    text: str, own: list[list[str]], *, aside: bool = False, first: bool = False
) -> Iterator[Name]:
    keys = words(without_article(text))
    if not keys or (aside and len(keys) == 1):
        return
    yield Name(tuple(keys), aside, first)
    for value in own:
        if value and len(value) < len(keys) and keys[-len(value) :] == value:
            yield Name(tuple(keys[: -len(value)]), aside, first)
