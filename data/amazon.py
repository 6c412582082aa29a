"""A folder of Amazon games: `id2title.json`, and `item_metadata.csv` for platform and kind."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import cast

from ..errors import InputError
from ..records import AttributeValue, Item, Session
from ..title_words import without_accents
from .files import require_files, total_bytes
from .json_rows import as_text
from .malformed import ReadReport, RowError, shown
from .tables import TableFormat, read_table
from .titles import clean_title

_FORMAT = TableFormat(",", quoted=True)
_METADATA = ("idx", "title", "platform", "kind", "interaction_count")
_UNKNOWN = frozenset({"", "unknown"})
_FEW_HOLES = 0.01
"""Largest share of numbers without a title at which the numbering still counts as dense."""


class AmazonReader:
    """Reads games: title, and `platform` and `kind` if the metadata has them; no sessions.

    The two files number the games differently, so they are joined by title, letter case, accents
    and punctuation aside. Where several games share a title and both files know equally many, they
    are paired in the order of their numbers; else only what all of them agree on is kept. The
    metadata's interaction count is left out on purpose: it counts test interactions too. Sessions
    come in separate files, see `read_sessions`.
    """

    TITLES = "id2title.json"
    session_bytes: int = 0

    def __init__(self, path: Path) -> None:
        self._titles = require_files(path, "Amazon", (self.TITLES,)) / self.TITLES
        self._metadata = path / "item_metadata.csv"
        self.item_bytes = total_bytes([self._titles, self._metadata])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the games in the order of `id2title.json`, which is read whole."""
        titles: dict[str, str] = {}
        pairs = _read_titles(self._titles)
        metadata = self._read_metadata(report)
        for key, value in pairs:
            try:
                title = clean_title(as_text(value, f"title of {shown(key)}"))
                if as_text(key, "id") in titles:
                    raise RowError(f"id {shown(key)} was given before")  # noqa: TRY301
            except RowError as error:
                report.add(self._titles, None, str(error))
            else:
                titles[key] = title
        for number in _holes(titles):
            report.warn(self._titles, None, f"no title for {number}: it is listed as untitled")
            titles[str(number)] = f"Untitled item {number}"
        namesakes: defaultdict[str, list[str]] = defaultdict(list)
        for key, title in titles.items():
            namesakes[_join_key(title)].append(key)
        before = report.bytes_read
        size = total_bytes([self._titles])
        for place, (key, title) in enumerate(titles.items(), start=1):
            name = _join_key(title)
            known = metadata.get(name, [])
            alike = namesakes[name]
            if len(known) == len(alike):
                known = [known[alike.index(key)]]
            report.bytes_read = before + size * place // len(titles)
            yield Item(key, title, _agreed(known))

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream nothing."""
        del report, known
        return iter(())

    def _read_metadata(self, report: ReadReport) -> dict[str, list[dict[str, AttributeValue]]]:
        """Return the attributes of the games of each title, in the order of the file."""
        found: defaultdict[str, list[dict[str, AttributeValue]]] = defaultdict(list)
        if self._metadata.is_file():
            for _, row in read_table(self._metadata, report, _METADATA, _FORMAT):
                _, title, platform, kind, _ = row
                facts = {"platform": clean_title(platform), "kind": clean_title(kind)}
                found[_join_key(clean_title(title))].append(
                    {name: fact for name, fact in facts.items() if fact not in _UNKNOWN}
                )
        return found


def _read_titles(path: Path) -> list[tuple[str, object]]:
    remedy = 'It must be one object that maps ids to titles: {"1": "Portal", …}.'
    try:
        value: object = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=list)
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}.", remedy) from error
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), f"is not JSON ({error}).", remedy) from error
    pairs = cast("list[tuple[str, object]]", value) if isinstance(value, list) else []
    if not pairs or not all(isinstance(cast("object", pair), tuple) for pair in pairs):
        raise InputError(str(path), "is not a JSON object with titles.", remedy)
    return pairs


def _holes(titles: Mapping[str, str]) -> list[int]:
    """Return the numbers without a title between the first and the last one that has one.

    Sessions hold such games too, and dropping them would change what is measured.
    """
    numbers = {int(key) for key in titles if key.isdecimal()}
    span = max(numbers, default=0) - min(numbers, default=0) + 1
    if len(numbers) < len(titles) or span - len(numbers) > _FEW_HOLES * span:
        return []
    return sorted(set(range(min(numbers), max(numbers))) - numbers)


def _join_key(title: str) -> str:
    plain = without_accents(title.replace("™", "").replace("&", " and "))
    return re.sub(r"[^\w]+", " ", plain).casefold().strip()


def _agreed(rows: list[dict[str, AttributeValue]]) -> dict[str, AttributeValue]:
    if not rows:
        return {}
    return {
        name: fact for name, fact in rows[0].items() if all(row.get(name) == fact for row in rows)
    }
