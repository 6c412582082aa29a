"""An HTTP client for model servers: no answer grows too large, none is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookiejar import CookieJar
from typing import Any

import httpx
from openai import DefaultAsyncHttpxClient

from ..errors.hidden_errors import ASKS, hidden_status, reveal
from ..errors.stream_errors import with_errors
from .events import are_events, as_events, encoded, joined, pieces, usual_events
from .odd_bodies import body_in
from .openai_format import as_completion
from .openai_messages import decoded
from .oversized import Events, refuse_oversized, refuse_parts

LARGEST_ANSWER = 20_000_000
"""Bytes, unpacked: the longest answers of models have some 500,000."""
_CHAT = "/completions"
_FILE = "/content"
"""The path of a batch's answers, which may be as many as the questions."""
_OK = 200
_TYPE, _JSON, _EVENTS = "content-type", "application/json", "text/event-stream"
_PACKED = frozenset({"content-encoding", "content-length"})
_MOST_STEPS = 5
_LONGEST_PLACE = 80
_KEEPS_THE_QUESTION = frozenset({307, 308})


class RedirectedError(httpx.RemoteProtocolError):
    """A server sends a request elsewhere, as it would again."""


class AnswerClient(DefaultAsyncHttpxClient):
    """Reads no answer beyond a size, and gives hidden errors the status they should have had.

    Follows a redirect only to the same host, or for a file to any host over HTTPS. Otherwise a
    server could make this machine forward people's histories, or ask addresses that only it can
    reach. Keeps no cookies: all callers share the client, so a server could tell by its cookies who
    asks for whom, or make each request grow.
    """

    def __init__(self, **options: Any) -> None:
        """Make a client.

        Args:
            **options: Options of `httpx.AsyncClient`.
        """
        super().__init__(**options)
        self.cookies = _NoCookies()

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
            raise RedirectedError("The server sends the request in circles.")
        path = request.url.path
        if not path.endswith(_FILE):
            response = _limited(response, in_parts=stream)
        try:
            if path.endswith(_CHAT) and response.status_code == _OK:
                response = await _as_asked(response, in_parts=stream)
            else:
                if path.endswith(ASKS) and not _is_stream(response):
                    refuse_oversized(await response.aread())
                await reveal(response)
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


class _NoCookies(CookieJar):
    def extract_cookies(self, response: Any, request: Any) -> None:
        """Read none, however many an answer sets."""


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
    raise RedirectedError(
        f"The server redirects to {place[:_LONGEST_PLACE]}; set RE2LLM_BASE_URL to the right one."
    )


def _is_stream(response: Any) -> bool:
    return "event-stream" in response.headers.get(_TYPE, "")


def _limited(response: Any, *, in_parts: bool) -> httpx.Response:
    # Unpacked here, since a small packed answer may be a large one.
    headers = [item for item in response.headers.multi_items() if item[0] not in _PACKED]
    told = in_parts and _is_stream(response) and response.request.url.path.endswith(_CHAT)
    return httpx.Response(
        response.status_code,
        headers=headers,
        stream=(_Revealed if told else _Limited)(response),
        request=response.request,
        extensions=response.extensions,
    )


async def _as_asked(response: httpx.Response, *, in_parts: bool) -> httpx.Response:
    """Return an answer in the usual form, and in parts or whole as it was asked for.

    Args:
        response: Not read yet.
        in_parts: Whether a stream was asked for.

    Raises:
        RemoteProtocolError: It is too large.
    """
    if _is_stream(response) and in_parts:
        return response  # gets its form while it is read
    content = await response.aread()
    told = are_events(content)
    strict = None
    if told:
        parts = with_errors(pieces(content, Events()))
        if in_parts:
            whole = b"".join([part async for part in usual_events(parts)])
            return _instead(response, whole, _EVENTS)
        usual = await joined(parts)
    else:
        refuse_oversized(content)
        strict = decoded(content)
        body = body_in(content, strict, response.charset_encoding)
        refuse_parts(body)  # what is no plain JSON hides its parts
        usual = as_completion(body)
        refuse_parts(usual)
    status = hidden_status(usual)
    if status is not None:
        return _instead(response, encoded(usual), _JSON, status)
    if in_parts and (events := as_events(usual)):
        return _instead(response, events, _EVENTS)
    if usual == strict and not told:
        return response
    whole = encoded(usual)
    refuse_oversized(whole)
    return _instead(response, whole, _JSON)


def _instead(
    response: httpx.Response, content: bytes, kind: str, status: int = _OK
) -> httpx.Response:
    """Return a response with another body."""
    headers = [item for item in response.headers.multi_items() if item[0] != _TYPE]
    return httpx.Response(
        status,
        headers=[*headers, (_TYPE, kind)],
        content=content,
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
            async for piece in pieces(part, events):
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


class _Revealed(_Limited):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in usual_events(with_errors(super().__aiter__())):
            yield part
