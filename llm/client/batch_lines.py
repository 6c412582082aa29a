"""The lines of a file of answers, as it is downloaded: no line without end, and not too many."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

import httpx

from ...records import counted
from .oversized import LONGEST_WHOLE

_AROUND = 2_000
"""Bytes of a line around the answer in it."""


async def answer_lines(parts: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    """Split a download into lines, and leave out empty ones.

    Args:
        parts: The parts as they come.
        most: Lines.

    Raises:
        RemoteProtocolError: A line is longer than an answer may be, or there are more lines.
    """
    seen = 0
    line = bytearray()
    async for part in parts:
        for place, piece in enumerate(part.split(b"\n")):
            if place:
                if line.strip():
                    seen += 1
                    if seen > most:
                        lines = counted(most, "line")
                        raise httpx.RemoteProtocolError(f"The file has more than {lines}.")
                    yield bytes(line)
                line = bytearray()
            line += piece
            if len(line) > LONGEST_WHOLE + _AROUND:
                raise httpx.RemoteProtocolError("A line of the file is too long.")
    if line.strip():
        yield bytes(line)
