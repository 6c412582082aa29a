"""The state of the `rate` graph, its input and its output: JSON primitives only."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from langgraph.channels import EphemeralValue
from typing_extensions import TypedDict

from ...rating.request import OtherReview, PastReview, RatedItem, RatingRequest

__all__ = [
    "OtherReview",
    "PastReview",
    "RatedItem",
    "RatingRequest",
    "RatingResult",
    "RatingState",
    "ReasoningView",
]


class ReasoningView(TypedDict):
    """The four steps of the answer as the model wrote them; empty if it skipped one."""

    analyze_user: str
    analyze_item: str
    match: str
    rate: str


class RatingResult(TypedDict):
    """The answer. Either `error` is set, or everything else is."""

    rating: float
    """Always on the scale; `flags` says if it is not the model's."""
    reasoning: ReasoningView
    valid: bool
    """Whether the model's answer kept the format exactly."""
    model: str
    prompt_version: str
    llm_calls: int
    """Calls made to the model, with retries; 0 for an answer that was paid for before."""
    flags: list[str]
    """What went wrong; empty for a clean answer."""
    model_error: str
    """What the model's server said if it gave no answer, at most 200 characters; else empty."""
    error: dict[str, str] | None
    """`field`, `problem` and `remedy` of a request that cannot be answered."""


class RatingState(RatingResult):
    """Everything that the nodes pass on."""

    item: Any
    history: NotRequired[Annotated[Any, EphemeralValue]]
    """As sent with this request, like the next ones; a thread keeps none of them."""
    item_reviews: NotRequired[Annotated[Any, EphemeralValue]]
    user_mean: NotRequired[Annotated[float | None, EphemeralValue]]
    item_mean: NotRequired[Annotated[float | None, EphemeralValue]]
    lowest: NotRequired[Annotated[float | None, EphemeralValue]]
    highest: NotRequired[Annotated[float | None, EphemeralValue]]
    prompt: list[dict[str, Any]]
    """The messages to the model as roles and contents."""
    scale: list[float]
    """The lowest and the highest rating."""
    fallback: float
    """The rating to answer with if the model gives none."""
    mean: NotRequired[Annotated[float | None, EphemeralValue]]
    """Mean of the sampled ratings, if there are several samples and a valid one."""
    answer: str
    """The model's raw text."""
