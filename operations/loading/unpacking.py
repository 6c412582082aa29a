"""What a file that was sent to a server may hold once it is unpacked."""

from __future__ import annotations

import gzip
import io
import zlib

from ...errors import InputError

BY_COMMAND = "`re2llm load` on the server takes files of any size."
_LARGEST = 64 * 2**20
"""Most bytes."""
_MOST_LINES = 2_000_000
"""Most lines. They cost more than their bytes: 33 million fit into 65 KB as sent."""
_LONGEST_LINE = 2**20
"""Bytes. A line is read in one go, in which no other request is answered."""
_GZIP = b"\x1f\x8b"


def unpacked(content: bytes) -> bytes:
    """Return a file's content, unpacked but limited in size. Blocks for a while.

    Args:
        content: The file, plain or compressed with gzip.

    Raises:
        InputError: It is damaged, compressed twice, or holds too much.
    """
    if content.startswith(_GZIP):
        content = _from_gzip(content)
    if content.count(b"\n") > _MOST_LINES:
        raise InputError("file", f"It has more than {_MOST_LINES:,} lines.", BY_COMMAND)
    if _has_long_line(content):
        problem = f"A line is longer than {_LONGEST_LINE:,} bytes."
        raise InputError("file", problem, f"Write each row as a line. {BY_COMMAND}")
    return content


def _has_long_line(content: bytes) -> bool:
    start = 0
    while len(content) - start > _LONGEST_LINE:
        start = content.rfind(b"\n", start, start + _LONGEST_LINE + 1) + 1
        if not start:
            return True
    return False


def _from_gzip(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            held = file.read(_LARGEST + 1)
    except (EOFError, OSError, zlib.error) as error:
        problem = "It is a damaged or cut-off gzip file."
        raise InputError("file", problem, "Compress it again.") from error
    if len(held) > _LARGEST:
        problem = f"Unpacked, it is larger than {_LARGEST:,} bytes."
        raise InputError("file", problem, BY_COMMAND)
    if held.startswith(_GZIP):  # the readers would unpack it again, to any size
        raise InputError("file", "It is compressed twice.", "Compress it once.")
    return held
