"""What the operations on catalogues return."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ListedDomain(BaseModel):
    """A catalogue."""

    name: str
    encoder: str = Field(description="Id of the text encoder of its embeddings.")
    items: int
    sessions: int = Field(description="Training sessions.")
    hints: int = Field(description="Pending and retired ones too.")
    releases: int
    recommendations: int = Field(description="Logged ones.")


class Loaded(BaseModel):
    """What a load did."""

    domain: str
    items: int = Field(description="Items in the domain now.")
    items_changed: int = Field(description="Of those, new or changed ones.")
    sessions: int = Field(description="Training sessions in the domain now.")
    sessions_new: int = Field(description="Of those, new ones.")
    sessions_recent: int = Field(
        description="Of all, the recent ones; 0 if they are not in time order."
    )
    sessions_unusable: int = Field(
        default=0, description="Left out: they hold the whole catalogue, so nothing is to rank."
    )
    malformed: int = Field(default=0, description="Rows that were skipped.")
    warnings: int = Field(default=0, description="Rows that were repaired or look odd.")
    notes: list[str] = Field(default=[], description="The first of both, with file and line.")
    advice: str = Field(
        default="",
        description="What to do if there is too little to learn from, or if items will be "
        "found slowly; else empty.",
    )
