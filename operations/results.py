"""What the operations return: the shape of every tool's structured answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class FoundItem(BaseModel):
    """An item of the catalogue."""

    id: str
    title: str
    about: str = Field(description="Its attributes in words, which tell items of one title apart.")


class FoundTitle(BaseModel):
    """What a typed title may mean."""

    typed: str
    status: Literal["found", "ambiguous", "unknown"] = Field(
        description="`found`: `items` holds the one; `ambiguous`: ask which of `items` is meant; "
        "`unknown`: the catalogue has no such title, `items` are near in meaning."
    )
    items: list[FoundItem]


class FoundTitles(BaseModel):
    """The items that some titles stand for."""

    titles: list[FoundTitle]


class RecommendedItem(BaseModel):
    """One recommended item."""

    rank: int = Field(description="1 is best.")
    id: str
    title: str
    because: list[str] = Field(description="Facts that it shares with what was chosen before.")


class GivenHint(BaseModel):
    """The lesson that went into the ranking prompt, if any."""

    id: int | None
    text: str | None
    policy: str = Field(description="What chose it.")
    probability: float = Field(description="With which it was chosen.")


class Recommended(BaseModel):
    """The answer to a request for recommendations."""

    recommendation_id: str | None = Field(
        description="Pass it with the feedback; null where nothing was logged."
    )
    domain: str
    history: list[str] = Field(description="Ids of the items that it was made for.")
    items: list[RecommendedItem] = Field(description="The best ones, best first.")
    ranking: list[str] = Field(description="Ids of all candidates, best first.")
    hint: GivenHint
    model: str
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")


class FeedbackStored(BaseModel):
    """What became of a person's feedback."""

    recommendation_id: str
    picked: str | None = Field(description="Id of the picked item; null for none of these.")
    rank: int | None = Field(description="Where it stood in the ranking; null if it did not.")
    reward: float = Field(description="NDCG@10 of that rank; 0 for none of these.")
    missed: bool = Field(description="Whether an item was picked that was not among the best 10.")
    new: bool = Field(description="False if the same feedback was stored before.")
    learning: bool = Field(description="Whether hints are now being learnt from this miss.")


class ListedHint(BaseModel):
    """A lesson that was learnt from misses, or given by a person."""

    id: int
    text: str
    status: str
    trials: int = Field(description="Training sessions on which it was tried.")
    mean_gain: float = Field(description="Mean of NDCG@10 with it minus without it.")
    helped: int
    harmed: int


class ListedHints(BaseModel):
    """A domain's hints."""

    domain: str
    hints: list[ListedHint]


class RatingReasons(BaseModel):
    """The four steps of the model's reasoning; empty where it skipped one."""

    analyze_user: str
    analyze_item: str
    match: str
    rate: str


class Rated(BaseModel):
    """A predicted rating."""

    rating: float = Field(description="On the scale, always; `flags` says if it is a fallback.")
    reasoning: RatingReasons
    valid: bool = Field(description="Whether the model kept the answer's format to the letter.")
    model: str
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")
