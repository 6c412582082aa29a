"""Takes labels such as "Platz 1:" or "1er :" from lines that count places, in any language."""

# ruff: noqa: RUF001  # dashes and ordinals that models write

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from ..text.plain_signs import ORDINALS
from .key_names import Counted, counted_by
from .measures import names_place
from .names import names_no_ranking

_WORD = r"[^\W\d_]{1,20}"
_LABEL = re.compile(
    rf"(?:[*•–-]\s{{1,3}})?+[*_`\"'(\[<•–-]{{0,6}}+\s{{0,3}}+"
    rf"(?P<before>{_WORD}(?:\s{_WORD})?)?[.:]?\s{{0,2}}[#№]?\s?"
    rf"(?P<number>\d{{1,3}})(?P<suffix>\.?[º°ª]|-?[^\W\d_]{{1,4}})?(?=\W)[.)]?"
    rf"(?:\s{{0,2}}(?P<after>{_WORD})(?=\s{{0,2}}[*_]{{0,3}}\s?[:–—=-]))?"
    r"(?P<sign>[\s*_`\"')\]>:.|=~/–—-]{1,9}+)(?=\S)"
)
_ORDINALS = re.compile(
    r"st|nd|rd|th|er|re|ère|ème|e|\.?[º°ª]|-(?:е|й|я|ое|ый|ая)|位|名|위|등|º|ª", re.IGNORECASE
)
_PLAIN = re.compile(r"[*_`\"'\s]{0,9}(?:[.:)\]]|\s-\s|\s–\s)?[*_`\"'\s]{0,9}")
_ORDINAL = re.compile(
    rf"(?P<indent>\s{{0,20}})[*_`\"'(\[•–-]{{0,6}}+\s{{0,3}}(?P<ordinal>{'|'.join(ORDINALS)})\b"
    rf"(?:\s{_WORD}){{0,2}}[*_`\"')\]]{{0,4}}\s?(?:[:=>.)–—-]|->)[\s*_`]{{0,6}}(?=\S)",
    re.IGNORECASE,
)


def without_place_labels(
    lines: Sequence[str],
    *,
    titled: Callable[[str], bool],
    number: Callable[[str], bool],
    candidate: Callable[[str], bool],
) -> list[str]:
    """Write lines with labels such as "Platz 1:", "Platz 2:" as "1. …", "2. …".

    The labels differ only by the number, which counts up from 1 or down to 1. An unknown label may
    mean a candidate, so it is kept before bare numbers.

    Args:
        lines: The lines of an answer.
        titled: Whether a line is a title.
        number: Whether a text is a bare number.
        candidate: Whether a word means a candidate.
    """
    lines = _numbered(lines, titled)
    groups: defaultdict[tuple[str, str], list[tuple[int, re.Match[str]]]] = defaultdict(list)
    for at, line in enumerate(lines):
        found = _LABEL.match(line.lstrip())
        if found:
            key = (found["before"] or "").casefold(), (found["after"] or "").casefold()
            groups[key].append((at, found))
    for (before, after), group in groups.items():
        numbers = [int(found["number"]) for _, found in group]
        if len(group) <= 1 or numbers not in _counts(len(group)):
            continue
        suffixed = any(found["suffix"] for _, found in group)
        plain = all(_PLAIN.fullmatch(found["sign"]) for _, found in group)
        placed = names_place(f"{before} {after}") or counted_by(before) is Counted.PLACE
        known = placed or (
            before in {"", "第"}
            and not after
            and all(found["suffix"] and _ORDINALS.fullmatch(found["suffix"]) for _, found in group)
        )
        signed = "№" in group[0][1][0] or not plain
        labelled = before or suffixed or names_place(after) or (signed and not after)
        if not labelled or candidate(before) or names_no_ranking(before):
            continue
        whole = [lines[at].strip() for at, _ in group]
        rests = [line[found.end() :] for line, (_, found) in zip(whole, group, strict=True)]
        if any(map(titled, whole)) or (not known and any(map(number, rests))):
            continue
        for (at, found), rest in zip(group, rests, strict=True):
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines[at] = f"{indent}{found['number']}. {rest}"
    return lines


def _counts(most: int) -> tuple[list[int], list[int]]:
    """Return the numbers of places, counted up and counted down."""
    return list(range(1, most + 1)), list(range(most, 0, -1))


def _numbered(lines: Sequence[str], titled: Callable[[str], bool]) -> list[str]:
    """Write lines such as "First: …", "Second: …" with numbers."""
    found = [(at, said) for at, line in enumerate(lines) if (said := _ORDINAL.match(line))]
    places = [ORDINALS.index(said["ordinal"].lower()) + 1 for _, said in found]
    lines = [*lines]
    if len(found) <= 1 or places not in _counts(len(found)):
        return lines
    if any(titled(lines[at].strip()) for at, _ in found):
        return lines
    for (at, said), place in zip(found, places, strict=True):
        lines[at] = f"{said['indent']}{place}. {lines[at][said.end() :]}"
    return lines
