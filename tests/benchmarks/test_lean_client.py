"""The client that measures a server: requests share a connection, and a closed one is replaced."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.lean_client import Connection


async def test_a_connection_serves_many_requests_and_is_replaced_once_it_is_closed():
    opened: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append("connection")
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
            document = json.loads(await reader.readexactly(length))
            if document == "close":
                writer.close()
                return
            body = json.dumps([head.split()[1], document]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(f"http://127.0.0.1:{port}")
        for number in range(3):
            status, body = await connection.post("/here", number)
            assert (status, json.loads(body)) == (200, ["/here", number])
        assert len(opened) == 1
        with pytest.raises(EOFError):
            await connection.post("/here", "close")
        assert (await connection.post("/here", 4))[0] == 200
        assert len(opened) == 2
        connection.close()
