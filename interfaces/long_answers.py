"""Ends answers that go on after their key was revoked, such as the stream of a thread."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Message, Send

from ..errors import Re2llmError

CHECK_EVERY = 30.0
"""Seconds between two checks of the key of a running answer."""


def while_key_works(send: Send, works: Callable[[], Awaitable[bool]]) -> Send:
    """Return what sends an answer until its key is revoked, and ends it then.

    Args:
        send: The server's own.
        works: Looks the key up.
    """
    looked = time.monotonic()
    ended = False

    async def answer(message: Message) -> None:
        nonlocal looked, ended
        if ended:
            return
        goes_on = message["type"] == "http.response.body" and message.get("more_body", False)
        if goes_on and time.monotonic() - looked >= CHECK_EVERY:
            looked = time.monotonic()
            if not await _still(works):
                ended = True  # the server then tells the application that nobody listens
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return answer


async def _still(works: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await works()
    except (Re2llmError, OSError, SQLAlchemyError):
        return True  # a lost database ends no answer
