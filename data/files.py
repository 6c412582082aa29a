"""Text files by line, plain or gzip-compressed, and the files of a data set's folder."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..errors import InputError
from .malformed import ReadReport

LONGEST_LINE = 16 * 2**20
"""The longest line that is read, in bytes: a file with a longer one is no text."""

_GZIP_MAGIC = b"\x1f\x8b"
_HEAD = 8192
_KINDS = (
    (b"PK\x03\x04", "is a spreadsheet or a ZIP archive", "Save the sheet as CSV, or unpack it."),
    (b"\xd0\xcf\x11\xe0", "is a spreadsheet of Excel", "Save the sheet as CSV in UTF-8."),
    (b"BZh", "is compressed by bzip2", "Unpack it, or compress it by gzip."),
    (b"\xfd7zXZ", "is compressed by xz", "Unpack it, or compress it by gzip."),
    (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard", "Unpack it, or compress it by gzip."),
    (b"SQLite format 3", "is a database of SQLite", "Export the table as CSV."),
    (b"%PDF-", "is a PDF", "Give a text file."),
)
"""How files begin that are given in place of a table, what they are, and what to do."""
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_TAR, _TAR_AT = b"ustar", 257
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WEB = (b"<!doctype html", b"<html")
_NOT_UTF8 = "is not UTF-8 text (if it is Latin-1: iconv -f latin1 -t utf-8 FILE > NEW)"
_TEXT_REMEDY = "Give a text file in UTF-8, plain or gzip-compressed."
_at_each_line = ContextVar[Callable[[], None] | None]("at each line", default=None)


@contextmanager
def at_each_line(call: Callable[[], None]) -> Generator[None]:
    """Call a function at each line that is read meanwhile, so that it can pause or end a reading.

    Args:
        call: What it raises ends the reading.
    """
    token = _at_each_line.set(call)
    try:
        yield
    finally:
        _at_each_line.reset(token)


def is_endless(path: Path) -> bool:
    """Return whether a path is a device, a pipe or the like, which may never end."""
    return path.exists() and not (path.is_file() or path.is_dir())


def require_folder(path: Path, remedy: str) -> None:
    """Raise `InputError` with a remedy if a path is not a folder."""
    if not path.exists():
        raise InputError(str(path), "does not exist.", remedy)
    if not path.is_dir():
        raise InputError(str(path), "is not a folder.", remedy)


def require_files(folder: Path, dataset: str, required: Sequence[str]) -> Path:
    """Return `folder`, or raise `InputError` if it or one of its required files is missing."""
    expected = f"The {dataset} folder must hold {', '.join(required)}."
    require_folder(folder, expected)
    missing = [name for name in required if not (folder / name).is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(str(folder), f"{', '.join(missing)} {verb} missing.", expected)
    return folder


def total_bytes(paths: Iterable[Path]) -> int:
    """Return the total size of those files that exist, to size a progress bar."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def read_lines(
    path: Path,
    report: ReadReport,
    *,
    fallback: str | None = None,
    errors: str = "strict",
    by_rows: bool = False,
) -> Iterator[tuple[int, str]]:
    """Stream a text file's lines that are not blank, one line in memory at a time.

    A line that cannot be decoded, or holds a NUL character (which PostgreSQL text cannot), is
    reported and left out. A byte-order mark is dropped.

    Args:
        report: Gets the malformed lines and the bytes read.
        fallback: The encoding of lines that are not UTF-8; if `None`, those are malformed.
        errors: What becomes of bytes that are not UTF-8, as `bytes.decode` takes it.
        by_rows: Whether to warn if the last line has no line end. In a table of fixed columns, a
            value that was cut short can still look whole.

    Yields:
        The line number, from 1, and the text without its line end.

    Raises:
        InputError: The file is missing, unreadable, binary, empty, or a damaged gzip file.
    """
    with _as_input_error(path), path.open("rb") as raw:
        compressed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        stream = gzip.GzipFile(fileobj=raw) if compressed else raw
        _refuse_binary(
            path, stream.peek(_HEAD)[:_HEAD], latin=fallback is not None or errors != "strict"
        )
        before = 0
        number = 0
        called = _at_each_line.get()
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if called is not None:
                called()
            if len(line) > LONGEST_LINE:
                raise InputError(f"{path}:{number}", "is longer than 16 MiB.", _TEXT_REMEDY)
            if compressed:
                now = raw.tell() if raw.seekable() else before
                report.bytes_read += now - before
                before = now
            else:
                report.bytes_read += len(line)
            text = _decode(line, fallback, errors)
            if text is None:
                report.add(path, number, _NOT_UTF8)
            elif "\0" in text:
                report.add(path, number, "holds a NUL character")
            elif content := text.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else ""):
                if by_rows and not text.endswith("\n"):
                    report.warn(path, number, "has no line end: the file may be cut short")
                if not content.isspace():
                    yield number, content


def _decode(line: bytes, fallback: str | None, errors: str) -> str | None:
    try:
        return line.decode("utf-8", errors)
    except UnicodeDecodeError:
        return None if fallback is None else line.decode(fallback)


def _refuse_binary(path: Path, head: bytes, *, latin: bool) -> None:
    if not head:
        raise InputError(str(path), "is empty.", _TEXT_REMEDY)
    for start, problem, remedy in _KINDS:
        if head.startswith(start):
            raise InputError(str(path), f"{problem}.", remedy)
    if head[_TAR_AT:].startswith(_TAR):
        raise InputError(str(path), "is a tar archive.", "Unpack it.")
    if head.startswith(_UTF32):
        remedy = f"Convert it: iconv -f utf-32 -t utf-8 {path.name} > NEW"
        raise InputError(str(path), "is UTF-32 text, not UTF-8.", remedy)
    odd, even = head[1::2].count(0), head[::2].count(0)
    if head.startswith(_UTF16) or max(odd, even) * 3 > len(head) > min(odd, even) * 12:
        remedy = f"Convert it: iconv -f utf-16 -t utf-8 {path.name} > NEW"
        raise InputError(str(path), "is UTF-16 text, not UTF-8.", remedy)
    if head.lstrip()[: len(_WEB[0])].lower().startswith(_WEB):
        raise InputError(str(path), "is a web page.", "Download the file itself.")
    if b"\r" in head.strip() and b"\n" not in head:
        remedy = f"Convert it: tr '\\r' '\\n' < {path.name} > NEW"
        raise InputError(str(path), "ends its lines with CR alone.", remedy)
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
