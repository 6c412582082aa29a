"""Does a request once that is sent twice with the same `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Header
from pydantic import BaseModel
from pydantic_core import to_json

from ...knowledge.idempotent_answers import Claim, claim_answer, keep_answer, release_claim
from ...operations.database import connected
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from .problems import ProblemError
from .requests import KeyedBody

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request, such as a UUID. Sent again within a day with the same "
        "body, it is not done again, and the answer is the same.",
    ),
]

_Answer = TypeVar("_Answer", bound=BaseModel)
_PAUSE = 0.05
"""Seconds between two checks of a request in progress."""
_PATIENCE = 3.0


class NotDoneYetError(ProblemError):
    """The same request came before, and is still in progress."""


async def once(
    context: Context,
    key: str,
    body: KeyedBody,
    kind: type[_Answer],
    work: Callable[[], Awaitable[_Answer]],
) -> _Answer:
    """Do some work, or return what it has answered before.

    Only an answer is kept: a request that failed may be sent again.

    Args:
        context: The request's context; a key belongs to one caller.
        key: As the client sent it.
        body: The request's body.
        kind: The type of the answer.
        work: Returns the answer.

    Raises:
        ProblemError: The key came with another body, or the work is not done yet.
        Re2llmError: As from the work, or the database failed.
    """
    digest = hashlib.sha256(to_json(body.told_apart_by())).digest()
    return await once_for(context, key, digest, kind, work)


async def once_for(
    context: Context,
    key: str,
    digest: bytes,
    kind: type[_Answer],
    work: Callable[[], Awaitable[_Answer]],
    *,
    patience: float = _PATIENCE,
) -> _Answer:
    """Do some work, or return what it has answered before; see `once`.

    Args:
        context: The request's context; a key belongs to one caller.
        key: Names the request.
        digest: The digest of its body.
        kind: The type of the answer.
        work: Returns the answer.
        patience: Seconds to wait for the same request while it is in progress.

    Raises:
        NotDoneYetError: The same request is still in progress.
        ProblemError: The key came with another digest.
        Re2llmError: As from the work, or the database failed.
    """
    options = await resolve_context(context)
    claim = await _claim(options, key, digest, round(patience / _PAUSE))
    if claim.state == "other":
        raise ProblemError(
            422,
            "This idempotency key came with another body before.",
            field="Idempotency-Key",
            remedy="Send a new key with each new request.",
        )
    if claim.state == "busy":
        raise NotDoneYetError(
            409,
            "A request with this idempotency key is not done yet.",
            {"retry-after": "1"},
            field="Idempotency-Key",
            remedy="Send the same request again.",
        )
    if claim.answer is not None:
        return kind.model_validate(claim.answer)
    try:
        answer = await work()
    except BaseException:
        async with connected(options, write=True) as connection:
            await release_claim(connection, options.source, key)
        raise
    async with connected(options, write=True) as connection:
        await keep_answer(connection, options.source, key, digest, answer.model_dump(mode="json"))
    return answer


async def _claim(options: RunOptions, key: str, digest: bytes, looks: int) -> Claim:
    """Claim a key, waiting for a request in progress for a moment."""
    claim = Claim("busy")
    for _ in range(looks):
        async with connected(options, write=True) as connection:
            claim = await claim_answer(connection, options.source, key, digest)
        if claim.state != "busy":
            break
        await asyncio.sleep(_PAUSE)
    return claim
