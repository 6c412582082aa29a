"""OpenAI's Batch API: many questions in one file, answered within a day at a lower price."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from httpx import RemoteProtocolError
from langchain_core.messages import BaseMessage

from ...errors import Failure, InputError
from ...settings import AnswerMethod
from ..structured import AnswerFormat, bind_format
from ..text.json_values import is_list, is_object, is_one_of
from .answer import Answered, read_answer
from .batch_lines import answer_lines
from .endpoint import Endpoint
from .openai_format import as_completion
from .oversized import refuse_oversized

_log = logging.getLogger(__name__)
_URL = "/v1/chat/completions"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_NOT_ASKED = frozenset({"batch_expired", "batch_cancelled"})
"""Codes of lines that the provider did not get to, and does not charge for."""
_CODE = re.compile(r"[\w.-]{1,60}")
_MOST_LISTED = 500
"""Most batches to search for one whose confirmation was lost."""
_RETRIES = 3
_OTHER_LINES = 1_000
"""Most lines of a file that are about no question of the batch."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """The status of a batch.

    Attributes:
        remote_id: The provider's name for it.
        status: The status in the provider's word, such as `in_progress`.
        done: Questions that are answered or have failed.
        code: Why the provider refused it; empty if it did not.
        files: Ids of the files with answers and with errors, as far as there are any.
    """

    remote_id: str
    status: str
    done: int = 0
    code: str = ""
    files: Sequence[str] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status in _ENDED


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one question of a batch.

    Attributes:
        key: The key of the question.
        answered: The answer, or `None`.
        failure: Why there is none; `None` also if the provider did not get to it.
    """

    key: bytes
    answered: Answered | None
    failure: Failure | None = None


class BatchClient:
    """Sends batches to a chat model's server. Its methods raise `ModelFailedError`.

    Args:
        endpoint: The model.

    Raises:
        InputError: Its package does not speak the Batch API.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        # `ChatOpenAI`'s own client, so that key, server and headers are those of single calls.
        client: Any = getattr(endpoint.model, "root_async_client", None)
        if client is None:
            raise InputError(
                "batch",
                f"{endpoint.name!r} has no Batch API that re2llm speaks.",
                "Use a model of `openai:`, or leave `batch` out.",
            )
        self._endpoint = endpoint
        self._client = client

    def question(
        self, key: bytes, messages: Sequence[BaseMessage], answer_format: AnswerFormat | None
    ) -> str:
        """Return a question as a line of the file; its body is that of a single call."""
        model: Any = self._endpoint.model
        bound: Any = bind_format(
            model,
            self._endpoint.methods.current,
            answer_format,
            old_limit=self._endpoint.letters.old_limit,
        )
        more: dict[str, Any] = {} if bound is model else bound.kwargs
        payload = model._get_request_payload(list(messages), stop=None, **more)  # noqa: SLF001  # what a call sends
        body = {k: v for k, v in payload.items() if k != "stream" and not k.startswith("ls_")}
        if "messages" not in body:
            raise InputError(
                "batch",
                f"{self._endpoint.name!r} is asked through OpenAI's Responses API.",
                "Leave `batch` out.",
            )
        line = {"custom_id": key.hex(), "method": "POST", "url": _URL, "body": body}
        return json.dumps(line) + "\n"

    async def upload(self, file: Path) -> str:
        """Upload a file of questions, and return the provider's name for it."""
        try:
            client = self._client.with_options(max_retries=_RETRIES)
            return str((await client.files.create(file=file, purpose="batch")).id)
        except Exception as error:  # noqa: BLE001  # any kind, as in `Endpoint`
            raise self._endpoint.failed(error) from None

    async def start(self, file_id: str) -> BatchStatus:
        """Start a batch, unless one with this file was started already."""
        return await self._find(file_id) or await self.create(file_id)

    async def create(self, file_id: str) -> BatchStatus:
        """Start a batch."""
        try:
            return self._status(
                await self._client.batches.create(
                    input_file_id=file_id, endpoint=_URL, completion_window="24h"
                )
            )
        except Exception as error:  # noqa: BLE001  # as above
            raise self._endpoint.failed(error) from None

    async def _find(self, file_id: str) -> BatchStatus | None:
        seen = 0
        try:
            client = self._client.with_options(max_retries=_RETRIES)
            async for batch in client.batches.list(limit=100):
                if batch.input_file_id == file_id:
                    return self._status(batch)
                seen += 1
                if seen >= _MOST_LISTED:
                    return None
        except Exception as error:  # noqa: BLE001  # as above
            failed = self._endpoint.failed(error)
            if failed.failure is not Failure.REJECTED:  # some servers do not list them
                raise failed from None
        return None

    async def look(self, remote_id: str) -> BatchStatus:
        """Return the status of a batch."""
        try:
            client = self._client.with_options(max_retries=_RETRIES)
            return self._status(await client.batches.retrieve(remote_id))
        except Exception as error:  # noqa: BLE001  # as above
            raise self._endpoint.failed(error) from None

    async def lines(
        self,
        status: BatchStatus,
        method: AnswerMethod,
        answer_format: AnswerFormat | None,
        keys: Collection[bytes],
    ) -> list[Line]:
        """Download a batch's answers to these questions; none is in them twice."""
        found: dict[bytes, Line] = {}
        asked = frozenset(keys)
        for file in status.files:
            async for text in self._text_lines(file, 2 * len(asked) + _OTHER_LINES):
                line = self._read(text, method, answer_format, asked)
                if line is not None:
                    found.setdefault(line.key, line)
        return list(found.values())

    async def _text_lines(self, file: str, most: int) -> AsyncIterator[bytes]:
        try:
            client = self._client.with_options(max_retries=_RETRIES)
            async with client.files.with_streaming_response.content(file) as response:
                async for line in answer_lines(response.iter_bytes(), most):
                    yield line
        except Exception as error:  # noqa: BLE001  # as above
            raise self._endpoint.failed(error) from None

    async def delete(self, files: Sequence[str]) -> None:
        """Delete files that are not needed any more, as far as the provider lets us."""
        for file in files:
            try:
                await self._client.files.delete(file)
            except Exception as error:  # noqa: BLE001  # as above
                _log.info("a batch's file was not deleted: %s", type(error).__name__)

    def _read(
        self,
        text: bytes,
        method: AnswerMethod,
        answer_format: AnswerFormat | None,
        asked: frozenset[bytes],
    ) -> Line | None:
        key, entry = _entry(text)
        if key not in asked:
            return None
        try:
            refuse_oversized(text, within=("response", "body"))
        except RemoteProtocolError:
            return Line(key, None, Failure.UNKNOWN)  # another batch would say the same
        try:
            return self._line(key, entry, method, answer_format)
        except Exception as failed:  # noqa: BLE001  # whatever a malformed line leads to
            return Line(key, None, self._endpoint.failed(failed).failure)

    def _line(
        self, key: bytes, entry: Any, method: AnswerMethod, answer_format: AnswerFormat | None
    ) -> Line:
        response: Any = entry.get("response")
        error: Any = entry.get("error")
        if is_object(error) and is_one_of(error.get("code"), _NOT_ASKED):
            return Line(key, None)
        status = response.get("status_code") if is_object(response) else None
        body = as_completion(response.get("body")) if is_object(response) else None
        if not is_object(body) or not is_list(body.get("choices")):
            return Line(key, None, self._endpoint.failed(_LineError(status, body or error)).failure)
        return Line(key, read_answer(self._message(body), method, answer_format))

    def _status(self, batch: Any) -> BatchStatus:
        counts = batch.request_counts
        errors: list[Any] = (batch.errors and batch.errors.data) or []
        code = self._endpoint.words(str(errors[0].code or "unknown")) if errors else ""
        files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
        return BatchStatus(
            batch.id,
            str(batch.status),
            (counts.completed or 0) + (counts.failed or 0) if counts else 0,
            code if _CODE.fullmatch(code) else "",
            files,
        )

    def _message(self, body: dict[str, Any]) -> BaseMessage:
        from openai.types.chat import ChatCompletion  # noqa: PLC0415  # as providers' packages are

        # As `ChatOpenAI` reads the response to a single call.
        completion = ChatCompletion.construct(**body)
        model: Any = self._endpoint.model
        result = model._create_chat_result(completion)  # noqa: SLF001
        generation = result.generations[0]
        message = cast("BaseMessage", generation.message)
        # LangChain moves these here after a single call.
        message.response_metadata |= generation.generation_info or {}
        return message


def _entry(text: bytes) -> tuple[bytes, Any]:
    """Return the question that a line is about, and what it says; no key where it is no line."""
    try:
        entry: Any = json.loads(text)
        return bytes.fromhex(entry["custom_id"]), entry
    except (ValueError, LookupError, TypeError, RecursionError):
        return b"", None


class _LineError(Exception):
    """What a line says instead of an answer, in the form that `read_failure` reads."""

    def __init__(self, status: object, body: object) -> None:
        super().__init__(str(body))
        self.status_code = status if isinstance(status, int) else None
        self.body = body
