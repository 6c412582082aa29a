"""An HTTP client for model servers: no answer grows too large, none is fetched from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from openai import DefaultAsyncHttpxClient

from ..errors.hidden_errors import ASKS, reveal
from ..errors.stream_errors import with_errors
from .oversized import Events, refuse_oversized

LARGEST_ANSWER = 20_000_000
"""Bytes, unpacked: the longest answers of models have some 500,000."""
_CHAT = "/completions"
_FILE = "/content"
"""Where the answers of a batch come from, which may be as many as are asked for."""
_PIECE = 4_096
"""Bytes of a stream between two turns of others."""
_PACKED = frozenset({"content-encoding", "content-length"})
_MOST_STEPS = 5
_LONGEST_PLACE = 80
_KEEPS_THE_QUESTION = frozenset({307, 308})


class AnswerClient(DefaultAsyncHttpxClient):
    """Reads no answer beyond a size, and gives hidden errors the status they should have had.

    Follows a redirect to the same host alone, and for a file to any over HTTPS: else a server could
    have this machine send people's histories on, or ask addresses that only it can reach.
    """

    # Its types are those of httpx or httpx2, by the version of `openai`, which takes both back.
    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request, as `httpx.AsyncClient` does.

        Args:
            request: The request.
            stream: Whether the caller reads the answer.
            **options: Others of `httpx.AsyncClient.send`.

        Raises:
            RemoteProtocolError: The answer is too large, while reading it, too; or the server
                sends the request elsewhere.
        """
        # httpx would read the whole body of a redirect, however large.
        options["follow_redirects"] = False
        for _ in range(_MOST_STEPS):
            response: Any = await super().send(request, stream=True, **options)
            if response.next_request is None:
                break
            await response.aclose()
            request = _followed(request, response)
        else:
            raise httpx.RemoteProtocolError("The server sends the request in circles.")
        path = request.url.path
        if not path.endswith(_FILE):
            response = _limited(response)
        try:
            if path.endswith(ASKS) and not _is_stream(response):
                refuse_oversized(await response.aread())
            await reveal(response)
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


def _followed(request: Any, response: Any) -> Any:
    """Return the request that a redirect asks for.

    Raises:
        RemoteProtocolError: It leads elsewhere, or would drop the question.
    """
    old, new = request.url, response.next_request.url
    same = (new.host, new.port) == (old.host, old.port) and new.scheme == old.scheme
    # To the usual port of the same host, as servers do that want HTTPS.
    secured = new.host == old.host and (old.scheme, new.scheme, new.port) == ("http", "https", None)
    stored = request.method == "GET" and old.path.endswith(_FILE) and new.scheme == "https"
    keeps = request.method == "GET" or response.status_code in _KEEPS_THE_QUESTION
    if keeps and (same or secured or stored):
        return response.next_request
    place = f"{new.scheme}://{new.netloc.decode()}{new.path}"
    raise httpx.RemoteProtocolError(
        f"The server redirects to {place[:_LONGEST_PLACE]}; set RE2LLM_BASE_URL to the right one."
    )


def _is_stream(response: Any) -> bool:
    return "event-stream" in response.headers.get("content-type", "")


def _limited(response: Any) -> httpx.Response:
    # Unpacked here, since a small packed answer may be a large one.
    headers = [item for item in response.headers.multi_items() if item[0] not in _PACKED]
    told = _is_stream(response) and response.request.url.path.endswith(_CHAT)
    return httpx.Response(
        response.status_code,
        headers=headers,
        stream=(_Revealed if told else _Limited)(response),
        request=response.request,
        extensions=response.extensions,
    )


class _Limited(httpx.AsyncByteStream):
    def __init__(self, response: Any) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        events = Events() if _is_stream(self._response) else None
        async for part in self._response.aiter_bytes():
            size += len(part)
            if size > LARGEST_ANSWER:
                problem = f"The answer is larger than {LARGEST_ANSWER // 1_000_000} MB."
                raise httpx.RemoteProtocolError(problem, request=self._response.request)
            if events is None:
                yield part
                continue
            # Others have their turn between the pieces of a large part.
            for start in range(0, len(part), _PIECE):
                piece = part[start : start + _PIECE]
                events.look(piece)
                yield piece
                await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self._response.aclose()


class _Revealed(_Limited):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in with_errors(super().__aiter__()):
            yield part
