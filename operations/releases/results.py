"""What the operations on releases return."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ...prompt_versions import PromptVersion


class ReleaseRollout(BaseModel):
    """What became of a release on live traffic."""

    number: int = Field(description="1 for the domain's first rollout.")
    state: str = Field(description="`running`, `held`, `promoted`, `taken_back` or `stopped`.")
    percent: float = Field(description="Percentage of people who get the release now.")
    reason: str = Field(description="Of its last change, in one word.")
    words: str = Field(description="The same in a sentence.")


class ListedRelease(BaseModel):
    """A release of the learned hint policy, without its weights."""

    id: int
    status: str = Field(description="`active` or `inactive`.")
    recipe: str = Field(description="`content` or `paper`.")
    model: str = Field(description="The ranking model that it was trained for.")
    encoder: str
    prompt_version: str
    hint_set: str = Field(description="Digest of the hints that it was trained on.")
    hint_ids: list[int]
    config: dict[str, Any] = Field(description="How it was trained.")
    metrics: dict[str, Any] = Field(description="On validation sessions.")
    created_at: str
    rollout: ReleaseRollout | None = Field(
        default=None, description="Its latest rollout, if there was one."
    )

    @property
    def order(self) -> str:
        """What the model was asked to order, in words, with the setting that does so."""
        words, fuse = PromptVersion.parse(self.prompt_version).order_in_words()
        return f"{words} (RE2LLM_FUSE={fuse})"


class ListedReleases(BaseModel):
    """A domain's releases."""

    domain: str
    releases: list[ListedRelease]
