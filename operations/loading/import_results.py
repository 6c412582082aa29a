"""What the operations on files for import return."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ...knowledge.uploads import UploadKind


class ImportPreview(BaseModel):
    """What would be loaded from a file, and what would not. Nothing has been loaded."""

    upload: str = Field(description="The file's key.")
    name: str = Field(description="As the sender calls it.")
    kind: UploadKind
    size: int = Field(description="Bytes, as sent.")
    taken: bool = Field(default=False, description="Whether a job is to load it: it is not read.")
    job: str | None = Field(default=None, description="That job, once it is stored.")
    state: str | None = Field(default=None, description="Of that job.")
    items: int = Field(default=0, description="That would be loaded.")
    items_changed: int = Field(default=0, description="Of those, new or changed ones.")
    sessions: int = Field(default=0, description="That would be loaded, if they are new.")
    malformed: int = Field(default=0, description="Rows that would be left out.")
    warnings: int = Field(default=0, description="Rows that would be repaired or look odd.")
    notes: list[str] = Field(default=[], description="The first of both, with file and line.")
    first_items: list[str] = Field(default=[], description="Titles of the first items.")
    first_sessions: list[list[str]] = Field(default=[], description="Item ids, the oldest first.")
    refused: str = Field(default="", description="Why nothing of it can be loaded.")
    remedy: str = Field(default="", description="What to do then.")

    @property
    def usable(self) -> bool:
        """Whether there is something to load."""
        return not self.refused and bool(self.items or self.sessions)
