"""What Studio shows of a run's options, and a hint's text that a run gives."""

from typing import Any

import pytest
from re2llm.data.sample import load_films
from re2llm.graph.learn import graph as learn_graph
from re2llm.graph.rate import graph as rate_graph
from re2llm.graph.recommend import graph as recommend_graph
from re2llm.interfaces.chat import graph as chat_graph
from re2llm.runtime.context import Context
from re2llm.settings import Settings

IDS = [film.id for film in load_films()]
HINT = "Prefer the most recent films."
GRAPHS = [recommend_graph, learn_graph, rate_graph, chat_graph]


@pytest.mark.parametrize("graph", GRAPHS, ids=["recommend", "learn", "rate", "chat"])
def test_every_option_is_described(graph: Any) -> None:
    schema = graph.get_context_jsonschema()
    forms = [schema, *schema.get("$defs", {}).values()]
    fields = {name: field for form in forms for name, field in form.get("properties", {}).items()}
    assert {"domain", "policy", "hint", "budget", "max_llm_calls"} <= set(fields)
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_an_option_says_which_setting_holds_where_it_is_unset() -> None:
    fields = recommend_graph.get_context_jsonschema()["properties"]
    set_elsewhere = {name for name in fields if name in Settings.model_fields}
    assert {"domain", "policy", "model", "fuse", "seed"} <= set_elsewhere
    for name in set_elsewhere:
        assert f"Unset: `RE2LLM_{name.upper()}`." in fields[name]["description"], name


def test_studio_shows_options_beside_the_nodes_that_read_them() -> None:
    fields = recommend_graph.get_context_jsonschema()["properties"]
    nodes = {node for graph in GRAPHS for node in graph.nodes}
    for name, field in fields.items():
        assert set(field.get("langgraph_nodes", [])) <= nodes, name
    assert fields["hint"]["langgraph_type"] == "prompt"
    assert {"select_hint", "recommend"} == set(fields["hint"]["langgraph_nodes"])
    assert fields["policy"]["langgraph_nodes"] == ["select_hint"]
    for graph in GRAPHS:  # each asks a model in some node
        assert set(fields["model"]["langgraph_nodes"]) & set(graph.nodes)


async def ask(domain: str, **options: Any) -> dict[str, Any]:
    request: Any = {"history": IDS[:2], "candidates": IDS[5:9], "domain": domain}
    context = Context(**{"policy": "none", **options})
    return await recommend_graph.ainvoke(request, context=context)


@pytest.mark.parametrize("record", [True, False])
async def test_a_text_is_given_as_the_hint(films: str, record: bool) -> None:
    answer = await ask(films, hint=f"  {HINT} ", record=record)
    assert answer["error"] is None
    assert answer["hint"] == {"id": None, "text": HINT, "policy": "given", "probability": 1.0}


@pytest.mark.parametrize(
    ("budget", "field", "said"),
    [
        (
            {"max_calls": 0, "usd": None},
            "budget.max_calls",
            "There is no such field. There are `max_llm_calls`, `max_tokens`, `max_cost`, `max_h",
        ),
        ({"max_llm_calls": 1, "cost_limit": 1}, "budget.cost_limit", "There is no such field."),
        ({"max_llm_calls": -1}, "budget.max_llm_calls", "It must be greater than or equal to 0."),
        ({"max_cost": "much"}, "budget.max_cost", "It must be a number."),
        (5, "budget", "It must be an object."),
    ],
)
async def test_a_budget_that_would_limit_nothing_is_refused(
    films: str, budget: Any, field: str, said: str
) -> None:
    answer = await ask(films, budget=budget)
    assert answer["error"]["field"] == field
    assert answer["error"]["problem"].startswith(said)
    assert answer["items"] == []


async def test_a_limit_that_was_removed_may_be_null(films: str) -> None:
    budget = {"max_calls": None, "max_llm_calls": None, "max_tokens": None, "max_cost": None}
    answer = await ask(films, budget={**budget, "llm_calls": 0, "job": None})
    assert answer["error"] is None
    assert answer["items"]


async def test_an_empty_text_sets_nothing(films: str) -> None:
    answer = await ask(films, hint="")
    assert (answer["hint"]["text"], answer["hint"]["policy"]) == (None, "none")


@pytest.mark.parametrize("text", ["x" * 501, " ", "a\0b"])
async def test_a_text_that_is_no_hint_is_refused(films: str, text: str) -> None:
    answer = await ask(films, hint=text)
    assert answer["error"]["kind"] == "input"
    assert "hint" in answer["error"]["field"]
