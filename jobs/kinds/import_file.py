"""Loading a file that was sent to a server, as a job: embedding many items takes minutes."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...operations.loading.imports import clear_upload, load_upload, submit_upload
from ...runtime.options import RunOptions
from .base import Arguments, Finished, Undivided, Work


class Import(Undivided):
    """Loads what can be used of a file."""

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take the key of a file of the catalogue, and keep the file for the job."""
        return {"upload": await submit_upload(options, str(arguments.get("upload") or ""))}

    async def finish(self, work: Work) -> Finished:
        """Load it."""
        upload = work.arguments["upload"]
        loaded = await load_upload(work.context, upload)
        clear = partial(clear_upload, work.context, upload)
        return Finished(loaded.model_dump(mode="json"), clear=clear)
