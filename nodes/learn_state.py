"""The state of the `learn` graph, its input and its output: JSON primitives only."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from langgraph.channels import EphemeralValue
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..knowledge.hint_store.reflections import Outcome
from ..ranking.state import RecommendState
from ..runtime.request_limits import DomainName, ItemId, ItemIds, RowKey


class ObservedSession(BaseModel):
    """A session with what came next; it becomes a training session."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    history: Annotated[ItemIds, Field(min_length=1, description="Item ids, oldest first.")]
    target: Annotated[ItemId, Field(description="Id of the item that came next.")]
    candidates: Annotated[
        ItemIds | None,
        Field(description="Ids to rank, the target among them; none retrieves some."),
    ] = None


class LearnRequest(BaseModel):
    """Which session to learn from. Empty, it takes the next one that was not learned from yet."""

    session: Annotated[RowKey | None, Field(description="Key of a stored training session.")] = None
    observed: Annotated[
        ObservedSession | None, Field(description="A new session, instead of a stored one.")
    ] = None
    domain: Annotated[
        DomainName | None, Field(description="The catalogue's name; none takes the default.")
    ] = None


class ProposalView(TypedDict):
    """A proposed hint and its outcome."""

    text: str
    outcome: Outcome | None
    """`None` until it is known."""
    reason: str
    hint_id: int | None
    repeats: NotRequired[str]
    """Text of the hint that it repeats, which may come before it in the same answer."""
    compared: NotRequired[list[int]]
    """Ids of the known hints that it does not repeat."""
    verification: dict[str, Any]
    """Mean gain with its interval, sessions helped and harmed; empty if it was never tried."""


class ReflectionView(TypedDict):
    """The conversation about a miss."""

    diagnosis: str
    messages: list[dict[str, str]]
    declined: bool
    """Whether the reflecting model declined to answer; another one may not."""


class BatchedMiss(TypedDict):
    """A further miss that a reflection is about."""

    session: int
    """Key of the training session."""
    rank: int


class LearnResult(TypedDict):
    """What was learned from a miss. Either `error` is set, or everything else is."""

    domain: str
    training_session: int | None
    rank: int
    """The target's rank without a hint."""
    missed: bool
    reflection: ReflectionView
    batch: list[BatchedMiss]
    """Further misses with the same cause, which the reflection is about, too."""
    proposals: list[ProposalView]
    error: dict[str, str] | None


class LearnState(RecommendState):
    """The state of the `recommend` graph, and what learning from a miss adds."""

    session: NotRequired[Annotated[int | None, EphemeralValue]]
    """Key of the training session that this request names; not that of an earlier request."""
    observed: NotRequired[Annotated[dict[str, Any] | None, EphemeralValue]]
    rank: int
    missed: bool
    reflection: ReflectionView
    batch: list[BatchedMiss]
    proposals: list[ProposalView]
