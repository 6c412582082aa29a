"""Reads the files in which people keep answers of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.files import read_lines
from ..data.malformed import ReadReport
from ..errors import InputError
from ..records import without_surrogates

_LABEL = re.compile(r"(?m)^Label:")
_REMEDY = 'Write {"answer": "1. …"}, one per line, or blocks of Label: and Output:.'
_UTF8 = re.compile("[\xc2-\xf4][\x80-\xbf]{1,3}")
"""A character of several bytes, or what is left of one, read as Latin-1."""
_HIGH = re.compile("[\x80-\xff]")
_KEPT = "surrogateescape"
_OTHER = "is not UTF-8 as other lines are; it is read as Latin-1"
_BROKEN = "holds bytes that are not UTF-8; each is read as \ufffd"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer; `label` is the title of the right answer, if the file has it."""

    text: str
    label: str | None = None


def read_answers(file: Path, report: ReadReport | None = None) -> list[Recorded]:
    """Read recorded answers, in the order of their sessions.

    Args:
        file: JSON Lines, each a string or an object with `answer`; or blocks of `Label:TITLE` and
            `Output: ANSWER`, as the authors of Re2LLM recorded them. Lines are UTF-8 or Latin-1,
            and the file may be gzip-compressed.
        report: Gets the lines in another encoding, or with broken characters.

    Raises:
        InputError: It is neither, or cannot be read.
    """
    report = ReadReport() if report is None else report
    lines = _lines(file, report)
    text = "\n".join(text for _, text in _without_gaps(lines))
    blocks = [block.partition("\nOutput:") for block in _LABEL.split(text)[1:]]
    labelled = [Recorded(answer.strip(), label.strip()) for label, mark, answer in blocks if mark]
    answers = labelled or [_from_json(line, f"{file}:{number}") for number, line in lines]
    if not answers:
        raise InputError("answers", f"{file} holds no answer.", _REMEDY)
    return answers


def _lines(file: Path, report: ReadReport) -> list[tuple[int, str]]:
    """Return the lines that are not blank, without byte-order marks, and their numbers."""
    read = ReadReport()
    try:
        lines = [*read_lines(file, read, errors=_KEPT)]
    except InputError as error:
        problem = error.problem.removeprefix("cannot be read: ")
        said = problem if problem != error.problem else f"it {problem}"
        problem = f"{error.field} cannot be read: {said}"
        raise InputError("answers", problem, error.remedy) from error
    if read.first_malformed:
        problem = f"{read.first_malformed[0]}."
        raise InputError("answers", problem, "Write the file again as UTF-8 text.")
    unread = [raw for _, text in lines if (raw := _undecoded(text))]
    alone = all(text.isascii() or _undecoded(text) for _, text in lines)
    latin = alone and _is_latin(b"".join(unread))
    decoded: list[tuple[int, str]] = []
    for number, text in lines:
        said = text
        if raw := _undecoded(text):
            other = latin or _is_latin(raw)
            said = raw.decode("latin-1") if other else raw.decode("utf-8", "replace")
            if not (other and alone):
                report.warn_once(file, number, _OTHER if other else _BROKEN)
        decoded.append((number, said.removeprefix("\ufeff")))
    return decoded


def _undecoded(text: str) -> bytes:
    """Return the bytes of a line that is not UTF-8, of another none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors=_KEPT)
    return b""


def _is_latin(raw: bytes) -> bool:
    """Whether text that is not UTF-8 is Latin-1, and not UTF-8 with broken characters."""
    text = raw.decode("latin-1")
    beyond = len(_HIGH.findall(_UTF8.sub("", text)))
    return beyond > len(_UTF8.findall(text))


def _without_gaps(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return all lines up to the last, also the blank ones, which count for the strict parser."""
    texts = dict(lines)
    return [(number, texts.get(number, "")) for number in range(1, max(texts, default=0) + 1)]


def _from_json(line: str, place: str) -> Recorded:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    answer: Any = value.get("answer") if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(answer, str):
        raise InputError("answers", f"{place} holds no answer.", _REMEDY)
    return Recorded(without_surrogates(answer))
