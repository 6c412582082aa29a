"""Parts a title from the reason behind it: "Alien: Covenant: dark, as they like it."."""

# ruff: noqa: RUF001  # typographic quotes and dashes are what models write

from __future__ import annotations

import re
from collections.abc import Iterator

_PARTS = re.compile(
    r"(?:\s?[:;][*_]{0,3}|\s[-–—|]|[–—]|[.][*_]{0,3}|[*_\"”»]{1,3},)\s|\s\(|,\s(?=because\b|since\b|as\b)"
)
_AGAIN = re.compile(r":\s|\s[-–—|]\s")
_WORD = re.compile(r"[^\W\d_][\w'’-]*+")
_END = ".!。!"
_SMALL_WORDS = (
    "the of and in to a an on at for with from by vs or de la le les du des del y el los las der"
    " die das und von den dem im am ein eine et en à au aux il lo di e da do dos no na os un une"
    " per con par sur"
)
_SMALL = frozenset(_SMALL_WORDS.split())
"""Words that titles write in lower case, too."""
_MOST_PARTS = 12
_LEAST, _MANY, _FEW = 4, 5, 2
_BEGINNING = 60
"""Characters of a reason; another part within them would mean that the text before it is a
subtitle."""


def heads(line: str) -> Iterator[str]:
    """Yield what may be the title of a line that goes on with a reason, the longest first.

    A subtitle would make another title of it, so what follows must be written as a sentence.

    Args:
        line: The line without its number, as the model wrote it.
    """
    found = [*_PARTS.finditer(line)][:_MOST_PARTS]
    for part in reversed(found):
        head, reason = line[: part.start()], line[part.end() :]
        spelt = any(map(str.isupper, head)) or not any(map(str.islower, head))
        if spelt and _is_sentence(reason):
            yield head


def _is_sentence(text: str) -> bool:
    text = text.strip(' *_"”»)')
    again = _AGAIN.search(text, 0, _BEGINNING)
    words: list[str] = _WORD.findall(text)
    if again or not text:
        return False
    ends = text[-1] in _END
    if not any(map(str.islower, text)):  # of a script without capitals
        return ends and not any(map(str.isupper, text))
    said = [word for word in words if word[0].islower() and word not in _SMALL]
    if len(words) < _LEAST or not said:
        return False
    return ends or (len(words) >= _MANY and len(said) >= _FEW)
