"""The state of the `rate` graph, its input and its output: JSON primitives only."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from langgraph.channels import EphemeralValue
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from ...runtime.request_limits import MOST_ITEMS, Attributes, LongText, Rating, Title


class RatedItem(BaseModel):
    """An item as people describe it."""

    title: Annotated[Title, Field(min_length=1, description="The item's name.")]
    attributes: Annotated[
        Attributes,
        Field(description="Facts by name, such as genre, brand or price."),
    ] = {}


class PastReview(RatedItem):
    """What the user thought of an item."""

    rating: Annotated[Rating, Field(description="On the scale.")]
    text: Annotated[LongText, Field(description="The review, if there is one.")] = ""


class OtherReview(BaseModel):
    """What someone else thought of the item that is to be rated."""

    rating: Annotated[Rating, Field(description="On the scale.")]
    text: Annotated[LongText, Field(description="The review, if there is one.")] = ""


class RatingRequest(BaseModel):
    """Whose rating of what to predict."""

    item: Annotated[RatedItem, Field(description="What the user is about to rate.")]
    history: Annotated[
        list[PastReview],
        Field(max_length=MOST_ITEMS, description="The user's past reviews, oldest first."),
    ] = []
    item_reviews: Annotated[
        list[OtherReview],
        Field(
            max_length=MOST_ITEMS, description="Other people's reviews of the item, latest last."
        ),
    ] = []
    user_mean: Annotated[
        Rating | None,
        Field(description="Mean of the user's ratings; none takes that of `history`."),
    ] = None
    item_mean: Annotated[
        Rating | None,
        Field(description="Mean rating of the item; none takes that of `item_reviews`."),
    ] = None
    lowest: Annotated[Rating, Field(description="The worst rating of the scale.")] = 1
    highest: Annotated[Rating, Field(description="The best rating of the scale.")] = 5


class ReasoningView(TypedDict):
    """The four steps of the answer, as the model wrote them; empty where it skipped one."""

    analyze_user: str
    analyze_item: str
    match: str
    rate: str


class RatingResult(TypedDict):
    """The answer. Either `error` is set, or everything else is."""

    rating: float
    """On the scale, always; `flags` says if it is not the model's."""
    reasoning: ReasoningView
    valid: bool
    """Whether the model's answer kept the format to the letter."""
    model: str
    prompt_version: str
    llm_calls: int
    """Calls made to the model, retries included; 0 for an answer that was paid before."""
    flags: list[str]
    """What went wrong on the way; empty for a clean answer."""
    error: dict[str, str] | None
    """`field`, `problem` and `remedy` of a request that cannot be answered."""


class RatingState(RatingResult):
    """Everything that the nodes hand on."""

    item: Any
    history: NotRequired[Annotated[Any, EphemeralValue]]
    """As sent with this request, like the next ones; absence means none again."""
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
    answer: str
    """The model's raw text."""
    latency_ms: float
    """What the request has waited for the model."""
