"""Text files by line, plain or gzip-compressed, without ever holding a whole file."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from .malformed import ReadReport

LONGEST_LINE = 16 * 2**20
"""Bytes in the longest line that is read; a longer one means that the file is no text by lines."""

_GZIP_MAGIC = b"\x1f\x8b"
_LOOKED_AT = 8192
_TEXT_REMEDY = "Give a text file in UTF-8, plain or gzip-compressed."


def read_lines(
    path: Path, report: ReadReport, *, fallback: str | None = None, by_rows: bool = False
) -> Iterator[tuple[int, str]]:
    """Stream the lines of a text file that are not blank.

    A line that cannot be decoded, or holds a NUL character (which PostgreSQL text cannot), is
    reported and left out. A byte-order mark is dropped.

    Args:
        path: The file; gzip is recognised by content.
        report: Gets the malformed lines and the bytes read.
        fallback: The encoding of lines that are not UTF-8, or `None` where those are malformed.
        by_rows: Whether a last line without a line end deserves a warning, as in a table of fixed
            columns, where a value that was cut short can still look whole.

    Yields:
        The line number, from 1, and the text without its line end.

    Raises:
        InputError: The file is missing, unreadable, binary, empty, or a damaged gzip file.
    """
    with _as_input_error(path), path.open("rb") as raw:
        compressed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        stream = gzip.GzipFile(fileobj=raw) if compressed else raw
        _refuse_binary(path, stream.peek(_LOOKED_AT)[:_LOOKED_AT], latin=fallback is not None)
        before = 0
        number = 0
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise InputError(f"{path}:{number}", "is longer than 16 MiB.", _TEXT_REMEDY)
            if compressed:
                now = raw.tell() if raw.seekable() else before
                report.bytes_read += now - before
                before = now
            else:
                report.bytes_read += len(line)
            text = _decode(line, fallback)
            if text is None:
                report.add(path, number, "is not UTF-8 text")
            elif "\0" in text:
                report.add(path, number, "holds a NUL character")
            elif content := text.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else ""):
                if by_rows and not text.endswith("\n"):
                    report.warn(path, number, "has no line end: the file may be cut short")
                if not content.isspace():
                    yield number, content


def _decode(line: bytes, fallback: str | None) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None if fallback is None else line.decode(fallback)


def _refuse_binary(path: Path, head: bytes, *, latin: bool) -> None:
    if not head:
        raise InputError(str(path), "is empty.", _TEXT_REMEDY)
    broken = 0 if latin else head.decode("utf-8", "replace").count("\ufffd")
    # A stray NUL in a long text is one bad row; binary files and UTF-16 are full of them.
    if head.count(b"\0") * 50 > len(head) or broken * 10 > len(head):
        raise InputError(str(path), "is not UTF-8 text but binary.", _TEXT_REMEDY)


@contextmanager
def _as_input_error(path: Path) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(str(path), "does not exist.", "Check the path.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problem = "is a damaged or cut-off gzip file."
        raise InputError(str(path), problem, "Download or compress it again.") from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}."
        raise InputError(str(path), problem, "Check the path and its permissions.") from error
