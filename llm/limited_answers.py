"""An HTTP client for model servers that ends an answer which grows too large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
from openai import DefaultAsyncHttpxClient

from .hidden_errors import reveal
from .stream_errors import with_errors

LARGEST_ANSWER = 20_000_000
"""Bytes, unpacked: the longest answers of models have some 500,000."""
_CHAT = "/completions"
_EVENTS = "event-stream"
_FILE = "/content"
"""Where the answers of a batch come from, which may be as many as are asked for."""
_PACKED = frozenset({"content-encoding", "content-length"})


class AnswerClient(DefaultAsyncHttpxClient):
    """Reads no answer beyond a size, and gives hidden errors the status they should have had."""

    # Its types are those of httpx or httpx2, by the version of `openai`, which takes both back.
    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request, as `httpx.AsyncClient` does.

        Args:
            request: The request.
            stream: Whether the caller reads the answer.
            **options: Others of `httpx.AsyncClient.send`.

        Raises:
            RemoteProtocolError: The answer is too large; while reading it, too.
        """
        response: Any = await super().send(request, stream=True, **options)
        if not request.url.path.endswith(_FILE):
            response = _limited(response)
        try:
            await reveal(response)
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


def _limited(response: Any) -> httpx.Response:
    # Unpacked here, since a small packed answer may be a large one.
    headers = [item for item in response.headers.multi_items() if item[0] not in _PACKED]
    limited = _Limited(response)
    events = _EVENTS in response.headers.get("content-type", "")
    if events and response.request.url.path.endswith(_CHAT):
        limited = _Revealed(response)
    return httpx.Response(
        response.status_code,
        headers=headers,
        stream=limited,
        request=response.request,
        extensions=response.extensions,
    )


class _Limited(httpx.AsyncByteStream):
    def __init__(self, response: Any) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._response.aiter_bytes():
            size += len(part)
            if size > LARGEST_ANSWER:
                problem = f"The answer is larger than {LARGEST_ANSWER // 1_000_000} MB."
                raise httpx.RemoteProtocolError(problem, request=self._response.request)
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Revealed(_Limited):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in with_errors(super().__aiter__()):
            yield part
