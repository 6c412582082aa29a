"""Routes of pages that take a file, up to a size; its name is text, and never a path."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ...operations.loading.imports import LARGEST_UPLOAD
from ..api.problems import ProblemError
from .routing import TOKEN, PageRoute, check_sender, check_token

_MEDIA_TYPE = "multipart/form-data"
_CHARSETS = {"utf-8", "utf8"}
_MOST_FIELDS = 10
_LONGEST_FIELD = 4_096
_AROUND = 16 * 1_024
"""Bytes of a body besides the file."""


class UploadRoute(PageRoute):
    """A route whose form holds a file. Large ones wait in an unnamed temporary file meanwhile."""

    async def read_form(self, request: Request) -> None:
        """Keep the fields of a form that one of our own pages has sent, a file among them.

        Args:
            request: The request with the form.

        Raises:
            ProblemError: It was sent from elsewhere, is not a form, or is too large.
        """
        check_sender(request, _MEDIA_TYPE)
        _check_charset(request)
        parser = MultiPartParser(
            request.headers,
            _limited(request),
            max_files=1,
            max_fields=_MOST_FIELDS,
            max_part_size=_LONGEST_FIELD,
        )
        try:
            sent = await parser.parse()
        except (MultiPartException, ValueError, KeyError) as error:
            raise ProblemError(422, "The form cannot be read.") from error
        try:
            form: dict[str, list[Any]] = {}
            request.state.form = form
            for name, value in sent.multi_items():
                form.setdefault(name, []).append(value)
            token = form.get(TOKEN, [""])[-1]
            check_token(request, "" if isinstance(token, UploadFile) else token)
            for values in form.values():
                for place, value in enumerate(values):
                    if isinstance(value, UploadFile):
                        content = await value.read()
                        values[place] = {"name": value.filename or "", "content": content}
        finally:
            await sent.close()


def upload_router() -> APIRouter:
    """Return a router of such routes; the OpenAPI document does not hold them."""
    return APIRouter(route_class=UploadRoute, include_in_schema=False)


def _check_charset(request: Request) -> None:
    """Refuse what no browser sends: some decode to no text, others take quadratic time."""
    try:
        _, said = parse_options_header(request.headers["content-type"])
        charset = said.get(b"charset", b"utf-8").decode()
    except ValueError as error:
        raise ProblemError(422, "The form cannot be read.") from error
    if charset.lower() not in _CHARSETS:
        raise ProblemError(422, "The form cannot be read.", remedy="Send it in UTF-8.")


async def _limited(request: Request) -> AsyncGenerator[bytes]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_UPLOAD + _AROUND:
            raise ProblemError(
                413,
                f"The file is larger than {LARGEST_UPLOAD:,} bytes.",
                remedy="`re2llm load` on the server takes files of any size.",
            )
        yield part
