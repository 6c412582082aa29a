"""A file of a batch's answers is read line by line, whatever its server sends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from re2llm.llm.client.batch_lines import answer_lines
from re2llm.llm.client.oversized import LONGEST_WHOLE


async def lines(*parts: bytes, most: int = 10) -> list[bytes]:
    async def sent() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return [line async for line in answer_lines(sent(), most)]


async def test_lines_are_found_wherever_the_parts_are_cut() -> None:
    whole = b'{"a": 1}\n\n  \n{"b": "\xc3\xa4"}\r\n{"c": 3}'
    expected = [b'{"a": 1}', b'{"b": "\xc3\xa4"}\r', b'{"c": 3}']
    for cut in range(len(whole) + 1):
        assert await lines(whole[:cut], whole[cut:]) == expected
    assert await lines(*(bytes([one]) for one in whole)) == expected


async def test_a_line_without_end_is_not_kept() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"7" * 2**16

    with pytest.raises(httpx.RemoteProtocolError, match="too long"):
        [line async for line in answer_lines(endless(), 10)]
    assert taken < LONGEST_WHOLE / 2**16 + 3
    with pytest.raises(httpx.RemoteProtocolError, match="too long"):
        await lines(b"7" * (2 * LONGEST_WHOLE) + b"\n")


async def test_lines_without_end_are_not_read() -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="more than 10 lines"):
        await lines(*[b"{}\n" * 100] * 100)
