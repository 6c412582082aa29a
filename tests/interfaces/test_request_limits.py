"""Every text, list and number of a request has a limit, and none brings a graph down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fault_server import FaultServer
from keyed_runs import HOSTILE, IDS, User, asking, own_model, run, sums
from pydantic import BaseModel, TypeAdapter, ValidationError
from re2llm.graph.learn import graph as learn
from re2llm.graph.rate import graph as rate
from re2llm.graph.recommend import graph
from re2llm.interfaces.api.requests import (
    ActivateBody,
    DomainBody,
    FeedbackBody,
    HintBody,
    HintsBody,
    RateBody,
    RecommendBody,
    SearchBody,
)
from re2llm.interfaces.tools import (
    FeedbackArguments,
    RatingArguments,
    RecommendArguments,
    TitlesArguments,
)
from re2llm.nodes.learn_state import LearnRequest
from re2llm.nodes.rating.state import RatingRequest
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.ranking.state import RecommendRequest
from re2llm.rating.request import RatedItem
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import granted
from re2llm.runtime.services import Services


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def model(server: FaultServer, adjust: Callable[..., None]) -> str:
    return own_model(server, adjust)


# What a request says


def unlimited(schema: Any, place: str = "") -> Iterator[str]:
    """Yield the places of a JSON schema where a text, list or number has no limit."""
    definitions = schema.get("$defs", {})
    for name, inner in definitions.items():
        yield from unlimited(inner, f"{place}/{name}")
    wanted = {
        "string": ("maxLength",),
        "integer": ("minimum", "maximum"),
        "number": ("minimum", "maximum"),
        "array": ("maxItems",),
    }
    kind = schema.get("type")
    if kind in wanted and "enum" not in schema and "const" not in schema:
        yield from (f"{place}: {limit}" for limit in wanted[kind] if limit not in schema)
    if isinstance(schema.get("additionalProperties"), dict):
        if "maxProperties" not in schema:
            yield f"{place}: maxProperties"
        yield from unlimited(schema["additionalProperties"], f"{place}/*")
    for name, inner in schema.get("properties", {}).items():
        yield from unlimited(inner, f"{place}.{name}")
    for inner in schema.get("anyOf", []):
        yield from unlimited(inner, place)
    if isinstance(schema.get("items"), dict):
        yield from unlimited(schema["items"], f"{place}[]")


def test_what_has_no_limit_is_found() -> None:
    class Loose(BaseModel):
        text: str
        numbers: dict[str, list[int]] | None

    assert len(list(unlimited(Loose.model_json_schema()))) == 5


@pytest.mark.parametrize(
    "request_model",
    [
        RecommendRequest,
        LearnRequest,
        RatingRequest,
        RecommendArguments,
        FeedbackArguments,
        RatingArguments,
        TitlesArguments,
        *(ActivateBody, FeedbackBody, HintBody, HintsBody),
        *(RateBody, RecommendBody, DomainBody, SearchBody),
    ],
)
def test_every_field_of_a_request_has_limits(request_model: type[BaseModel]) -> None:
    assert list(unlimited(request_model.model_json_schema())) == []


async def test_every_argument_of_an_mcp_tool_has_limits() -> None:
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    from re2llm.interfaces.mcp_server import build_server

    for tool in await build_server().list_tools():
        assert list(unlimited(tool.inputSchema, tool.name)) == []


def test_every_option_of_a_context_has_limits() -> None:
    schema = TypeAdapter(Context).json_schema()
    del schema["$defs"]["Budget"]  # a program's own; a key's is ignored
    assert list(unlimited(schema)) == []


@pytest.mark.parametrize("name", RecommendRequest.model_fields)
async def test_no_field_of_a_request_brings_the_graph_down(
    name: str, services: Services, server: FaultServer, model: str, keyed: Callable[..., Any]
) -> None:
    caller = await keyed()
    answers = await asyncio.gather(
        *(run(graph, caller, {**asking(), name: value}) for value in HOSTILE)
    )
    for answer in answers:
        if answer.get("error"):
            assert answer["error"]["kind"] == "input", answer["error"]
            assert answer["error"]["field"].split(".")[0] == name
    assert (await sums(services, caller))[0] == len(server.asked)


@pytest.mark.parametrize("name", RatingRequest.model_fields)
async def test_no_field_of_a_rating_brings_the_graph_down(
    name: str, model: str, server: FaultServer, keyed: Callable[..., Any]
) -> None:
    server.speak = lambda _: "<rate>3</rate>"
    caller = await keyed()
    item = {"title": "Mug", "attributes": {}}
    hostile = [*HOSTILE, [{"title": "Cup", "rating": 10**400}], {**item, "attributes": {"a": 9**9}}]
    answers = await asyncio.gather(
        *(run(rate, caller, {"item": item, "history": [], name: value}) for value in hostile)
    )
    for answer in answers:
        assert (answer.get("error") or {"kind": "input"})["kind"] == "input", answer["error"]


@pytest.mark.parametrize("name", LearnRequest.model_fields)
async def test_no_field_of_learning_brings_the_graph_down(
    name: str, model: str, keyed: Callable[..., Any], films: str
) -> None:
    caller = await keyed(may=("learn",))
    # `True` is 1, which is a session.
    plain = [value for value in HOSTILE if value is not True and value != 1500]
    hostile = [*plain, *({"history": [value], "target": value} for value in HOSTILE)]
    unknown = {"session": 2**31 - 1, "domain": films}
    answers = await asyncio.gather(
        *(run(learn, caller, {**unknown, name: value}) for value in hostile)
    )
    for answer in answers:
        assert answer["error"]["kind"] == "input", answer["error"]


async def test_learning_needs_a_right(keyed: Callable[..., Any], model: str, films: str) -> None:
    answer = await run(learn, await keyed(), {"domain": films})
    assert answer["error"]["kind"] == "not_granted"
    assert "--may learn" in answer["error"]["remedy"]


async def test_feedback_with_a_key_learns_only_with_the_right(
    services: Services, model: str, films: str, keyed: Callable[..., Any]
) -> None:
    for may, learns in (((), False), (("learn",), True)):
        caller = await keyed(may=may)
        answer = await run(graph, caller, asking())
        told = await give_feedback(
            granted(Context(), User(caller.as_user())), answer["recommendation_id"], IDS[40]
        )
        assert (told.missed, told.learning) == (True, learns)
        await services.background.close()
        services.background.__init__()


def test_attributes_that_are_an_array_are_refused_as_any_other_value() -> None:
    with pytest.raises(ValidationError) as caught:
        RatedItem.model_validate({"title": "A", "attributes": np.zeros(3)})
    assert caught.value.errors()[0]["type"] == "dict_type"
