"""Sees through disguised names: digits and signs for letters, other scripts, words backwards.

What is described instead of spelt ("the ship that sank"), translated or transliterated is not
found here. Such a hint has to prove itself in verification, where a name does not help on other
people's sessions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from .english import is_unknown
from .reading import Reading

_LEET = [str.maketrans("0345789@$+\u20ac(<1!|\u00a6", "oeastbgastecc" + one * 4) for one in "il"]
"""Digits and signs as the letters that they look like."""
_SPELT = re.compile(r"[\w@$!+|\u00a6\u20ac(<]{4,60}")
_REPEATED = re.compile(r"([a-z])\1{2,}+", re.IGNORECASE)
_AMONG = re.compile(r"[a-z]\d{1,9}[a-z]")
_SHORTEST = 4
_FEW_LETTERS = 2
_MOST_WORDS = 4
_ALIKE = [("rn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u")]


def undisguised(text: str) -> Iterator[str]:
    """Yield the other texts that a hint may stand for.

    Args:
        text: A text from `clean`.
    """
    once = _REPEATED.sub(r"\1", text)
    seen = {text}
    for plain in (once, *(_SPELT.sub(lambda f, t=t: _spelt(f[0], t), once) for t in _LEET)):
        if plain not in seen:
            seen.add(plain)
            yield plain


def hidden_word(hint: str, reading: Reading) -> str | None:
    """Return a word that can only be there to hide another one, or `None`.

    A word with digits among its letters, or one with letters of another script than the hint's.
    """
    text = reading.text
    letters = [sign for sign in unicodedata.normalize("NFKD", hint) if sign.isalpha()]
    latin = sum(map(str.isascii, letters)) > len(letters) / 2
    for token in reading.tokens:
        key = token.key
        if reading.index.is_value(key) or reading.index.is_common(key):
            continue
        foreign = any(sign.isalpha() and not sign.isascii() for sign in key)
        if foreign and latin:
            return text[token.start : token.end]
        if _AMONG.search(key) and sum(map(str.isalpha, key)) >= _SHORTEST:
            return text[token.start : token.end]
    return None


def respelt(reading: Reading) -> str | None:
    """Return the title that unknown words spell backwards, or with like letters, or `None`."""
    for start, stop in reading.stretches(_MOST_WORDS):
        keys = reading.keys[start:stop]
        if not any(map(is_unknown, keys)):
            continue
        joined = "".join(keys)
        forms = {joined[::-1], *(joined.replace(*pair) for pair in _ALIKE)}
        if joined[0] == "l":
            forms.add(f"i{joined[1:]}")
        for form in forms - {joined}:
            title = reading.index.title(form)
            if title is not None:
                return title
    return None


def _spelt(word: str, letters: dict[int, int]) -> str:
    """Put letters for digits and signs, unless the word is a number or ends in a sign only."""
    bare = word.rstrip("!+|(<")
    found = sum(map(str.isalpha, bare))
    if found < _FEW_LETTERS or bare.isalpha() or len(bare) < _SHORTEST:
        return word
    # A name: it would not be disguised otherwise.
    return bare.translate(letters).capitalize() + word[len(bare) :]
