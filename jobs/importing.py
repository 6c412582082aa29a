"""Loading a file that was sent to a server, as a job: embedding many items takes minutes."""

from __future__ import annotations

from typing import Any

from ..operations.loading.imports import load_upload, submit_upload
from ..runtime.options import RunOptions
from .kinds import Arguments, Finished, Undivided, Work


class Import(Undivided):
    """Loads what can be used of a file."""

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take the key of a file of the catalogue, and keep the file for the job."""
        upload = str(arguments.get("upload") or "")
        await submit_upload(options, upload)
        return {"upload": upload}

    async def finish(self, work: Work) -> Finished:
        """Load it."""
        loaded = await load_upload(work.context, work.arguments["upload"])
        return Finished(loaded.model_dump(mode="json"))
