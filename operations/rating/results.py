"""What a rating returns."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RatingReasons(BaseModel):
    """The four steps of the model's reasoning; empty for a step that it skipped."""

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
    prompt_version: str
    llm_calls: int = Field(
        description="Calls made to the model, with retries; 0 for an answer paid for before."
    )
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")
    model_error: str = Field(
        description="What the model's server said if it gave no answer; else empty."
    )
