"""What a caller may set for a run; Studio shows it as a form."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from ..knowledge.hint_store.hints import LONGEST_HINT
from ..knowledge.serving_state import ServingState
from ..settings import FuseMode, HintChoice, PromptOrder, PromptRecipe
from .budget import Budget
from .caller import Caller
from .past_session import PastSession
from .questions import Questions
from .request_limits import LARGEST_SEED, DomainName, RowKey
from .sharing import ServiceSet

_ModelName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


def _at(*nodes: str) -> dict[str, Any]:
    """Return what tells LangGraph Studio at which nodes to show a field."""
    return {"langgraph_nodes": list(nodes)}


def _without_former_limits(given: Any) -> Any:
    """Leave out what a budget does not know if it is null: stored assistants hold such defaults."""
    if not isinstance(given, dict):
        return given
    known = {field.name for field in fields(Budget)}
    document = cast("dict[str, Any]", given)
    return {name: value for name, value in document.items() if name in known or value is not None}


@dataclass(kw_only=True)
class Context:
    """A run's options. What is unset falls back to the settings (`RE2LLM_*`).

    With an API key, only those count that it was granted.
    """

    domain: Annotated[
        DomainName | None,
        Field(description="The domain, if the request names none. Unset: `RE2LLM_DOMAIN`."),
    ] = None
    domains: Annotated[
        Annotated[list[DomainName], Field(max_length=1_000)] | None,
        Field(
            description="The only domains that the run may know of; any other is answered as "
            "one that does not exist. On a server with API keys it can narrow what the key allows, "
            "never widen it."
        ),
    ] = None
    policy: Annotated[
        HintChoice | None,
        Field(
            description="How the hint is chosen: `none`, `random`, `similar` (nearest in meaning), "
            "`static` (highest gain) or `ppo` (the active release). Unset: `RE2LLM_POLICY`.",
            json_schema_extra=_at("select_hint"),
        ),
    ] = None
    model: Annotated[
        _ModelName | None,
        Field(
            description="The ranking model, such as `openai:gpt-4.1-mini`. Unset: `RE2LLM_MODEL`.",
            json_schema_extra=_at("recommend", "check", "verify_hint", "predict_rating", "model"),
        ),
    ] = None
    reflect_model: Annotated[
        _ModelName | None,
        Field(
            description="The model that reflects on misses, if it is another one. Unset: "
            "`RE2LLM_REFLECT_MODEL`.",
            json_schema_extra=_at("reflect", "verify_hint", "store_hint"),
        ),
    ] = None
    prompt: Annotated[
        PromptRecipe | None,
        Field(
            description="How the ranking is asked for: `json`, `letters`, `auto` or `paper`. "
            "Unset: `RE2LLM_PROMPT`.",
            json_schema_extra=_at("recommend", "check"),
        ),
    ] = None
    fuse: Annotated[
        FuseMode | None,
        Field(
            description="What decides the order: `learned`, `llm`, `first_stage` or `sum`. With "
            "`llm`, the model always ranks. Unset: `RE2LLM_FUSE`.",
            json_schema_extra=_at("prepare", "recommend", "check"),
        ),
    ] = None
    prompt_order: Annotated[
        PromptOrder | None,
        Field(
            description="How the prompt lists the candidates: `first_stage` or `shuffled`. Unset: "
            "`RE2LLM_PROMPT_ORDER`.",
            json_schema_extra=_at("prepare"),
        ),
    ] = None
    orders: Annotated[
        Annotated[int, Field(ge=1, le=16)] | None,
        Field(
            description="In how many orders of the candidates the ranking is asked for; the "
            "answers are fused. Unset: `RE2LLM_ORDERS`.",
            json_schema_extra=_at("recommend"),
        ),
    ] = None
    reflection_batch: Annotated[
        Annotated[int, Field(ge=1, le=12)] | None,
        Field(
            description="Misses with a common cause that one reflection is about at most. Unset: "
            "`RE2LLM_REFLECTION_BATCH`.",
            json_schema_extra=_at("reflect"),
        ),
    ] = None
    order: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="Which of the candidates' orders the prompt has, to measure what the order "
            "does.",
            json_schema_extra=_at("recommend"),
        ),
    ] = 0
    seed: Annotated[
        Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None,
        Field(
            description="Seed of the candidates' order and of random hints. Unset: `RE2LLM_SEED`."
        ),
    ] = None
    record: Annotated[
        bool, Field(description="Whether the answer is logged.", json_schema_extra=_at("check"))
    ] = True
    in_rollout: Annotated[
        bool,
        Field(
            description="Whether a live rollout may serve the answer, and counts it. If not, the "
            "active release chooses the hint.",
            json_schema_extra=_at("select_hint"),
        ),
    ] = True
    hint_id: Annotated[
        RowKey | None,
        Field(
            description="Gives the domain's hint of this number, whatever the policy: for a "
            "person's test, or an oracle's.",
            json_schema_extra=_at("select_hint"),
        ),
    ] = None
    hint: Annotated[
        Annotated[str, Field(max_length=LONGEST_HINT)] | None,
        Field(
            description="Gives this text as the hint, whatever the policy, to try it before it is "
            "stored.",
            json_schema_extra={**_at("select_hint", "recommend"), "langgraph_type": "prompt"},
        ),
    ] = None
    budget: Annotated[
        Budget | None,
        BeforeValidator(_without_former_limits),
        Field(
            description="What a run may spend on model calls; shared by all runs that are handed "
            "it."
        ),
    ] = None
    services: SkipJsonSchema[InstanceOf[ServiceSet] | None] = None
    """A host's own database and models, from `Re2llm.context()`; in this process only."""
    caller: SkipJsonSchema[InstanceOf[Caller] | None] = None
    """The API key that the run is for; a server sets it."""
    questions: SkipJsonSchema[InstanceOf[Questions] | None] = None
    """Collects the run's questions instead of asking the model; in this process only."""
    serving_state: SkipJsonSchema[InstanceOf[ServingState] | None] = None
    """The domain's serving state, read for this very request; in this process only."""
    past_session: SkipJsonSchema[InstanceOf[PastSession] | None] = None
    """Set where a session of the past is ranked, to measure; in this process only."""
    command: Annotated[
        str,
        Field(max_length=100, description="What the ledger books the run's model calls under."),
    ] = "graph"
