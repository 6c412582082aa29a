"""Forms in which two spellings of one title are the same: `12 Angry Men`, `Twelve Angry Men`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ...title_words import DIGITS
from .words import ARTICLES, words

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_NTH = re.compile(r"(\d{1,3})(?:st|nd|rd|th)")
_RANKS = {word: str(n) for n, word in enumerate(_ORDINALS.split(), start=1)}
_SHORT = {"doctor": "dr", "mister": "mr", "saint": "st", "versus": "vs"}
_YEAR = 4
_TEN = "x"
_COUNTED = frozenset(
    {"part", "pt", "volume", "vol", "chapter", "episode", "number", "no", "the", "movie"}
)
"""Words that people leave out before a number."""
_ARTICLE_LAST = re.compile(rf"^(.+),\s*({ARTICLES})\s*$", re.IGNORECASE | re.DOTALL)
_LEET = re.compile(r"(?<=[a-z])[0134578](?=[a-z])")
_INITIALS = re.compile(r"(?<=\b\w) (?=\w\b)")
_LETTERS = dict(zip("0134578", "oleastb", strict=True)) | {"7": "v"}


def article_first(title: str) -> str:
    """Return a title with its article in front: "Boot, Das" as "Das Boot".

    Args:
        title: A title from `words.clean`.
    """
    found = _ARTICLE_LAST.match(title)
    return f"{found[2]} {found[1]}" if found else title


def joined(title: str) -> tuple[str, str]:
    """Return a title's letters and digits alone: as they are, and with numerals as digits.

    An English article in front, and what is often left out before a number, are left out.

    Args:
        title: A title from `words.clean`.
    """
    keys = words(article_first(title))
    if len(keys) > 1 and keys[0] in {"the", "a", "an"}:
        keys = keys[1:]
    plain = [_plain(key) for key in keys]
    kept = [
        one
        for place, one in enumerate(plain)
        if not (0 < place < len(plain) - 1 and one in _COUNTED and plain[place + 1].isdigit())
    ]
    return "".join(keys), "".join(kept)


def initials_joined(form: str) -> str:
    """Return a form with letters that stand alone put together: "et the extra terrestrial".

    Args:
        form: As for `numbers`.
    """
    return _INITIALS.sub("", form)


def numbers(form: str) -> tuple[str, ...]:
    """Return the numbers in a title, which tell it from others of its series.

    Args:
        form: Its folded words, separated by blanks.
    """
    keys = form.split()
    told = (key for place, key in enumerate(keys) if not _is_letter(keys, place))
    return tuple(filter(str.isdigit, map(_plain, told)))


def _is_letter(keys: list[str], place: int) -> bool:
    """Whether a Roman numeral is a letter here: the X of "X-Men", the I of "What I Like"."""
    if place == 0:
        return keys[0] in {"i", "v", "x"}
    return keys[place] == "i" and place < len(keys) - 1 and keys[place - 1] not in _COUNTED


def placed_numbers(form: str) -> set[tuple[str, str]]:
    """Return the numbers in a title, each with the word before it, but no years.

    Args:
        form: As for `numbers`.
    """
    keys = [key for key in map(_plain, form.split()) if key not in _COUNTED]
    pairs = zip(["", *keys], keys, strict=False)
    return {(before, key) for before, key in pairs if key.isdigit() and len(key) < _YEAR}


def unnumbered(form: str) -> Iterator[str]:
    """Yield what comes before a number at the end of a title: `halo` of `halo 3`.

    Args:
        form: As for `numbers`.
    """
    keys = form.split()
    if len(keys) > 1 and _plain(keys[-1]).isdigit():
        keys.pop()
        while len(keys) > 1 and keys[-1] in _COUNTED:
            keys.pop()
        yield " ".join(keys)


def before_numbers(form: str) -> Iterator[str]:
    """Yield what comes before each number but X in a title: `halo` of `halo 3 odst`.

    Args:
        form: As for `numbers`.
    """
    keys = form.split()
    for place, key in enumerate(keys):
        number = _plain(key)
        if place and key != _TEN and number.isdigit() and len(number) < _YEAR:
            yield _before(keys, place)


def may_be_letter(form: str, series: Collection[str]) -> bool:
    """Whether an X in a title may be a letter, as in "Malcolm X", and not 10.

    Args:
        form: As for `numbers`.
        series: The result of `before_numbers` for all titles: after one of these, X is 10.
    """
    keys = form.split()
    return any(
        place == 0 or (keys[place - 1] not in _COUNTED and _before(keys, place) not in series)
        for place, key in enumerate(keys)
        if key == _TEN
    )


def _before(keys: list[str], place: int) -> str:
    """Return the words before a number, without such as "part" and "volume"."""
    while place > 1 and keys[place - 1] in _COUNTED:
        place -= 1
    return " ".join(keys[:place])


def measures(form: str) -> set[str]:
    """Return the words of letters and digits, such as `6ft` and `2k13`, which tell editions apart.

    Args:
        form: As for `numbers`.
    """
    plain = set(map(_plain, form.split()))
    return {key for key in plain if not key.isdigit() and any(map(str.isdigit, key))}


def _plain(key: str) -> str:
    if key in _RANKS:
        return _RANKS[key]
    nth = _NTH.fullmatch(key)
    if nth:
        return nth[1]
    key = _LEET.sub(lambda digit: _LETTERS[digit[0]], _SHORT.get(key, key))
    return DIGITS.get(key, key)
