"""The state that the nodes share, and the graph's input and output.

State holds JSON primitives only, so that any checkpointer can store it.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from langgraph.channels import EphemeralValue, UntrackedValue
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..runtime.request_limits import MOST_SHOWN, DomainName, ItemId, ItemIds, UserName
from ..settings import RecipeName


class RecommendRequest(BaseModel):
    """What to recommend for: a session, and the items to choose from."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    history: Annotated[ItemIds, Field(description="Ids of the items chosen so far, oldest first.")]
    candidates: Annotated[
        list[ItemId] | None,
        Field(
            max_length=100_000,
            description="Ids of the items to rank; none retrieves them from the catalogue.",
        ),
    ] = None
    domain: Annotated[
        DomainName | None, Field(description="The catalogue's name; none takes the default.")
    ] = None
    k: Annotated[
        int, Field(ge=1, le=MOST_SHOWN, description="How many items to return in `items`.")
    ] = 10
    user: Annotated[
        UserName | None,
        Field(
            description="Any stable name of the person, or of the session: who is in a rollout of "
            "a release stays in it. The log holds only a hash of it."
        ),
    ] = None


class ItemView(TypedDict):
    """An item as the state carries it."""

    id: str
    title: str
    attributes: dict[str, Any]


class Assignment(TypedDict):
    """Which release serves a request of a rollout, as the state carries it."""

    rollout: int
    """Its key in the tables."""
    number: int
    """1 for the domain's first rollout."""
    release: int
    step: int
    percent: float
    canary: bool
    """Whether the person was assigned the new release; it serves unless it fails to choose."""
    probability: float
    """Probability of this assignment."""
    person: str
    """Salted hash of who asks, in hexadecimal digits."""
    differs: bool
    """Whether the two releases may rank differently."""
    both_ask: NotRequired[bool]
    """Whether both releases ask the model."""
    failed: bool
    """Whether the new release failed to choose."""
    error: NotRequired[str]
    """The kind of its error."""


class HintView(TypedDict):
    """Which hint was given, and how it was chosen; of several, the first that was picked."""

    id: int | None
    """The hint's id; `None` where none was given."""
    text: str | None
    policy: str
    """What chose it: a policy such as `static`, a release as in `ppo:3`, `given` for the caller, or
    `trial`."""
    probability: float
    """Probability of this choice; of several hints in any order."""


class PickedHint(TypedDict):
    """One of the hints that were given together."""

    id: int | None
    text: str
    probability: float
    """Probability of this pick, given the ones before it."""


class RankedItem(TypedDict):
    """One recommended item."""

    rank: int
    id: str
    title: str


class RecommendResult(TypedDict):
    """The answer. Either `error` is set, or everything else is.

    Beside `error`, lists and maps are empty, and the rest is `None`.
    """

    recommendation_id: str | None
    """The id of this answer for feedback; `None` if nothing was logged."""
    domain: str
    items: list[RankedItem]
    """The best `k` items."""
    ranking: list[str]
    """Every candidate's id, best first."""
    hint: HintView
    hints: list[PickedHint]
    """All hints that were given, in the order in which they were picked."""
    model: str
    llm_calls: int
    """Calls made to the ranking model, retries included."""
    flags: list[str]
    """What went wrong on the way; empty for a clean answer."""
    faults: dict[str, int]
    """Candidates that the model repeated, invented and failed to name, before any repair."""
    model_error: str
    """What the model's server said if it gave no answer, at most 200 characters; else empty."""
    error: dict[str, str] | None
    """`kind`, `field`, `problem` and `remedy` of a request that cannot be answered."""


class RecommendState(RecommendResult):
    """Everything that the nodes pass on.

    A node may read what earlier nodes have set. What it returns replaces the old value, also of a
    list.
    """

    history: list[str]
    candidates: NotRequired[Annotated[list[str] | None, EphemeralValue]]
    """The candidates sent with this request. A later request of the thread without any has none."""
    k: NotRequired[Annotated[int, EphemeralValue]]
    user: NotRequired[Annotated[str | None, UntrackedValue]]
    """The user as sent. A checkpointer stores it only in LangGraph's record of the input."""
    shown: NotRequired[int]
    """How many items the answer shows."""
    deadline_at: NotRequired[float]
    """When the model must have answered, in seconds since 1970."""
    domain_id: int
    training_session: NotRequired[int | None]
    """Key of the training session that is being ranked: evidence leaves it out."""
    target: NotRequired[str]
    """What came next, where it is known; no prompt holds it before the reflection."""
    session_embedding: list[float]
    """Mean of the history's item embeddings, shape `[384]`."""
    history_items: list[ItemView]
    """The most recent items, as the prompt shows them."""
    candidate_items: list[ItemView]
    """The candidates in the order of the prompt's numbers; those that it leaves out come last."""
    evidence: list[dict[str, float]]
    """The evidence about each candidate, by kind; empty without training sessions."""
    first_stage: NotRequired[list[float]]
    """Score of each candidate by the first stage, higher is better; shape `[candidates]`."""
    requester: NotRequired[Annotated[str | None, UntrackedValue]]
    """The request's `user`; no checkpoint holds it."""
    assignment: NotRequired[Assignment | None]
    """Which release of a rollout serves, if one is under way."""
    reranked: NotRequired[int]
    """How many of the candidates, from the first, the model reranks."""
    fusion: NotRequired[dict[str, Any] | None]
    """How much the model's opinion counts; see `Fusion`."""
    weight_of: NotRequired[str | None]
    """What that was learned for: a way to choose hints, or a release as in `ppo:3`."""
    step_probabilities: NotRequired[list[float]]
    """The probability of each step of a policy that may pick several hints, stopping included; else
    empty."""
    recipe: NotRequired[RecipeName]
    """How the ranking was asked for."""
    answer: str
    """The model's raw text; of a letter, the log-probabilities as JSON."""
    paid_rank: NotRequired[int | None]
    """The target's rank by the reward table, if the answer comes from there."""
    latency_ms: float
    tokens: dict[str, int]
    """`in`, `out`, and `cached`: those of `in` that the provider had in its cache."""
    full_usage: dict[str, float]
    """The same tokens, and `latency_ms`, as if no answer had been paid for before."""
