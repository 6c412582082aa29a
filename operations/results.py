"""What recommending, finding titles and feedback return: the shape of tools' structured answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class FoundItem(BaseModel):
    """An item of the catalogue."""

    id: str
    title: str
    about: str = Field(
        description="Its attributes in words, which tell items with the same title apart."
    )
    withdrawn: bool = Field(
        default=False,
        description="Whether it is recommended no more: a history may name it, but it is not to "
        "be offered.",
    )


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
    year: int | None = Field(default=None, description="If the catalogue knows it.")
    because: list[str] = Field(description="Facts that it shares with what was chosen before.")


class GivenHint(BaseModel):
    """The hint that went into the ranking prompt, if any; of several, the first."""

    id: int | None
    text: str | None
    policy: str = Field(description="What chose it.")
    probability: float = Field(
        description="The probability with which it was chosen; of several hints, with which all "
        "were, in any order."
    )


class PickedHint(BaseModel):
    """One of the hints that went into the ranking prompt together."""

    id: int | None
    text: str
    probability: float = Field(
        description="The probability with which it was picked, given those before it."
    )


MOST_RECALLED = 100
"""Items of the history that an answer names."""


class Recommended(BaseModel):
    """The answer to a request for recommendations."""

    recommendation_id: str | None = Field(
        description="Pass it with the feedback; null if nothing was logged."
    )
    domain: str
    history: list[str] = Field(
        description=f"Ids of the items that it was made for, the last {MOST_RECALLED} of them."
    )
    history_titles: list[str] = Field(description="Their titles.")
    items: list[RecommendedItem] = Field(description="The best ones, best first.")
    ranking: list[str] = Field(description="Ids of all candidates, best first.")
    hint: GivenHint
    hints: list[PickedHint] = Field(
        description="All hints that went into the prompt, in the order in which they were picked."
    )
    model: str
    llm_calls: int = Field(description="Calls made to the model, retries included.")
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")
    faults: dict[str, int] = Field(
        description="Candidates that the model repeated, invented and left out, before any repair."
    )
    model_error: str = Field(
        description="What the model's server said if it gave no answer; else empty."
    )


class FeedbackStored(BaseModel):
    """What became of a person's feedback."""

    recommendation_id: str
    picked: str | None = Field(description="Id of the picked item; null for none of these.")
    title: str | None = Field(description="Its title.")
    rank: int | None = Field(description="Its rank; null if it was not in the ranking.")
    reward: float = Field(description="NDCG@10 of that rank; 0 for none of these.")
    missed: bool = Field(
        description="Whether an item was picked that was not among the best fifth of the "
        "candidates, or not among the best 10."
    )
    new: bool = Field(description="False if the same feedback was stored before.")
    learning: bool = Field(description="Whether hints are now being learned from this miss.")
