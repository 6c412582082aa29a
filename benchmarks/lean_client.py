"""A client that takes little from the processors that it shares with the server.

httpx looks through all its connections for each request, which would count as the server's time.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 300


class Connection:
    """A connection to a server, kept from one request to the next; one request at a time.

    Args:
        url: Of the server, such as `http://127.0.0.1:8000`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._host = parts.netloc
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, document: Any) -> tuple[int, bytes]:
        """Send a document as JSON, and return the status and the body of the answer.

        Raises:
            OSError: There is no connection, or no answer in time.
            EOFError: The server closed the connection.
            ValueError: The answer does not tell its length.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._post(path, json.dumps(document).encode())
        except BaseException:
            self.close()  # what is left of an answer must not be taken for the next
            raise

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._open is None:
            self._open = await asyncio.open_connection(*self._address)
        reader, writer = self._open
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        length = int(headers.get("content-length", ""))
        return int(status.split()[1]), await reader.readexactly(length)

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
