"""What the operations on catalogues return."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ..results import FoundItem


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
    trials_forgotten: int = Field(
        default=0,
        description="Paid rankings of what a former first stage had chosen, which a new one has "
        "replaced.",
    )
    weights_forgotten: list[str] = Field(
        default=[],
        description="How hints were chosen (`none`, `static`, `ppo:` and a release), of each "
        "measured weight of a model that went with the former first stage.",
    )
    malformed: int = Field(default=0, description="Rows that were skipped.")
    warnings: int = Field(default=0, description="Rows that were repaired or look odd.")
    notes: list[str] = Field(default=[], description="The first of both, with file and line.")
    advice: str = Field(
        default="",
        description="What to do if there is too little to learn from, or if items will be "
        "found slowly; else empty.",
    )


class ItemsFound(BaseModel):
    """The items that a search has found."""

    domain: str
    items: list[FoundItem] = Field(description="The likeliest first.")
    by_meaning: bool = Field(description="No title is like it; the items are near in meaning.")


class WithdrawnItems(BaseModel):
    """Items that are recommended no more, until they are loaded again."""

    domain: str
    items: list[FoundItem] = Field(description="In the order of the request, each once.")
    withdrawn: int = Field(description="How many of them were not withdrawn before.")


class BrowsedItem(BaseModel):
    """An item in a list of the catalogue."""

    item: FoundItem
    popularity: int = Field(description="Training sessions that hold it.")
    withdrawn: bool = Field(description="Whether it is recommended no more.")


class RelatedItem(BaseModel):
    """An item beside another."""

    id: str
    title: str
    evidence: dict[str, float] = Field(
        default={}, description="By kind, as beside a candidate in the ranking prompt."
    )


class ItemShown(BaseModel):
    """What is known of an item."""

    domain: str
    id: str
    title: str
    attributes: dict[str, Any]
    popularity: int = Field(description="Training sessions that hold it.")
    withdrawn: bool = Field(description="Whether it is recommended no more.")
    goes_with: list[RelatedItem] = Field(
        description="What sessions chose together with it or next to it, most first."
    )
    neighbours: list[RelatedItem] = Field(description="Nearest in meaning, nearest first.")
