"""Importing a file: sent, shown as it would be loaded, and then loaded by a job or deleted."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import InputError
from ...operations.loading.import_results import UploadKind
from ...operations.loading.imports import discard_upload, keep_upload, preview_upload
from ...runtime.request_limits import DomainName
from ..api.callers import require_right
from ..api.jobs import jobs_module
from .browsers import PREFIX
from .rendering import see
from .routing import form_of, page_router
from .sent_once import note_nothing_done
from .uploading import upload_router
from .visits import DomainChoice, visit

SECTION = "/catalogue"
UPLOAD_KINDS: dict[UploadKind, str] = {
    "items": "items (JSON Lines)",
    "sessions": "sessions (JSON Lines)",
    "table": "interactions or items (CSV)",
}
"""What each kind holds, in the order of the form."""
UploadId = Annotated[str, Field(min_length=32, max_length=36, pattern="^[0-9a-f-]+$")]
router = page_router()
_files = upload_router()


class SentFile(BaseModel):
    """A file as a browser sends it."""

    name: Annotated[str, Field(max_length=2_000)]
    content: bytes


class UploadForm(BaseModel):
    """A file, and what it holds."""

    domain: DomainName
    kind: UploadKind
    file: SentFile


class ImportForm(BaseModel):
    """What to do with a file that was shown."""

    domain: DomainName
    upload: UploadId
    change: Literal["load", "discard"]


@_files.post(PREFIX + SECTION + ":upload")
async def upload_route(request: Request) -> Response:
    """Keep a file for its preview."""
    require_right(request, "load")
    form = form_of(request, UploadForm)
    seen = await visit(request, form.domain)
    if not form.file.content:
        raise InputError("file", "It is empty, or none was chosen.", "Go back and choose one.")
    key = await keep_upload(seen.context, form.file.name, form.kind, form.file.content)
    return see(request, f"{SECTION}:import", {"domain": seen.domain, "upload": key})


@router.get(PREFIX + SECTION + ":import")
async def preview_page(
    request: Request, upload: Annotated[UploadId, Query()], domain: DomainChoice = None
) -> Response:
    """Show what would be loaded from a file, and what would not."""
    require_right(request, "load")
    seen = await visit(request, domain)
    shown = await preview_upload(seen.context, upload)
    return seen.page("import.html", shown=shown, kinds=UPLOAD_KINDS)


@router.post(PREFIX + SECTION + ":import")
async def import_route(request: Request) -> Response:
    """Load a file that was shown, or delete it."""
    require_right(request, "load")
    form = form_of(request, ImportForm)
    seen = await visit(request, form.domain)
    if form.change == "discard":
        deleted = await discard_upload(seen.context, form.upload)
        if not deleted:
            note_nothing_done(request)
        done = "discarded" if deleted else "file-gone"
        return see(request, SECTION, {"domain": seen.domain}, done=done)
    submit = await jobs_module("queue.submit")
    made = await submit.submit(seen.context, "import", {"upload": form.upload})
    return see(request, f"/jobs/{made.id}", {"domain": seen.domain}, done="submitted")


router.routes.extend(_files.routes)
