"""Genres, directors, countries and actors: the smaller files of the HetRec2011 folder."""

from __future__ import annotations

import re
from bisect import insort
from collections import defaultdict
from typing import TYPE_CHECKING

from .checks import whole_number
from .malformed import ReadReport, RowError
from .tables import TableFormat, read_table
from .titles import clean_title

if TYPE_CHECKING:
    from pathlib import Path

    from ..records import AttributeValue

FIRST_BILLED = 3
"""How many actors of a movie are kept."""

# ISO-8859-1 officially, though movie_directors.dat is UTF-8; nothing is quoted.
FORMAT = TableFormat("\t", quoted=False, fallback="iso-8859-1")
"""How all the HetRec files are written."""

_MOST_LOST = 4


def read_facts(folder: Path, report: ReadReport) -> dict[str, dict[str, AttributeValue]]:
    """Return what the smaller files say about each movie, by its id.

    Args:
        folder: The HetRec folder; `movie_actors.dat` may be missing.
        report: Gets the malformed rows and the bytes read.

    Returns:
        `genres`, `director` and `actors` (lists of text) and `country`, each where it is known.

    Raises:
        InputError: A file cannot be read or has other columns.
    """
    facts: defaultdict[str, dict[str, AttributeValue]] = defaultdict(dict)
    for file, header, attribute in (
        ("movie_genres.dat", ("movieID", "genre"), "genres"),
        ("movie_directors.dat", ("movieID", "directorID", "directorName"), "director"),
        ("movie_countries.dat", ("movieID", "country"), "country"),
    ):
        for movie, names in _lists(folder / file, header, report).items():
            facts[movie][attribute] = ", ".join(names) if attribute == "country" else names
    for movie, names in _actors(folder / "movie_actors.dat", report).items():
        facts[movie]["actors"] = names
    return facts


def _lists(path: Path, header: tuple[str, ...], report: ReadReport) -> dict[str, list[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for _, row in read_table(path, report, header, FORMAT):
        name = clean_title(row[-1])
        if "\ufffd" in name:
            name = _mended(name, row[1])
        if name and name not in values[row[0]]:
            values[row[0]].append(name)
    return {movie: names for movie, names in values.items() if names}


def _actors(path: Path, report: ReadReport) -> dict[str, list[str]]:
    cast: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    if not path.is_file():
        return {}
    header = ("movieID", "actorID", "actorName", "ranking")
    for line, (movie, _, name, rank) in read_table(path, report, header, FORMAT):
        try:
            billing = whole_number(rank, "ranking", 0, 10**6)
        except RowError as error:
            report.add(path, line, str(error))
        else:
            insort(cast[movie], (billing, clean_title(name)))
            del cast[movie][FIRST_BILLED:]
    return {movie: [name for _, name in billed] for movie, billed in cast.items()}


def _mended(name: str, key: str) -> str:
    """Replace letters that were lost in a name by those of its id: `Luis Bu?uel`, `luis_bunuel`."""
    if name.count("\ufffd") > _MOST_LOST:
        return name
    letters = re.sub(r"[^\w\ufffd]+", "[_-]+", name).replace("\ufffd", "([a-z]{1,2})")
    found = re.fullmatch(letters, key, re.IGNORECASE)
    if found is None:
        return name
    for letter in found.groups():
        before, _, after = name.partition("\ufffd")
        starts = not before or not before[-1].isalpha()
        name = before + (letter.title() if starts else letter) + after
    return name
