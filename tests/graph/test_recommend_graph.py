"""The `recommend` graph on the real database: always a valid ranking, or a clear error."""

import asyncio
import json
import operator
import random
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pytest
from blockbuster import blockbuster_ctx
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from prompts import document_of
from re2llm.data.sample import load_films, sample_items
from re2llm.graph.recommend import build_graph, graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.ranking.state import RecommendResult
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.settings import Settings
from sqlalchemy import text
from typing_extensions import TypedDict

FILMS = load_films()
IDS = [film.id for film in FILMS]
HISTORY = ["alien-1979", "blade-runner-1982"]
CANDIDATES = [
    "aliens-1986",
    "the-terminator-1984",
    "casablanca-1942",
    "toy-story-1995",
    "the-godfather-1972",
    "psycho-1960",
    "amelie-2001",
    "spirited-away-2001",
]
CANDIDATES = [item for item in CANDIDATES if item in set(IDS)]
HINTS = [
    "Prefer films by the directors of the most recent films.",
    "Look for space, aliens and science fiction.",
    "Choose romantic comedies.",
    "Prefer silent films.",
]

Result = dict[str, Any]
Script = Callable[..., tuple[str, Any]]


async def recommend(
    domain: str,
    history: Sequence[Any] = HISTORY,
    candidates: Sequence[Any] | None = CANDIDATES,
    *,
    k: int = 10,
    **options: Any,
) -> Result:
    request: Any = {"domain": domain, "history": list(history), "k": k}
    if candidates is not None:
        request["candidates"] = list(candidates)
    context = Context(**{"policy": "none", "record": False, **options})
    return await graph.ainvoke(request, context=context)


def assert_valid(result: Result, candidates: Sequence[str] = CANDIDATES) -> None:
    assert result.get("error") is None
    assert sorted(result["ranking"]) == sorted(candidates)
    assert [item["id"] for item in result["items"]] == result["ranking"][:10]
    assert [item["rank"] for item in result["items"]] == list(range(1, len(result["items"]) + 1))


def ranking(numbers: Sequence[object]) -> str:
    return json.dumps({"ranking": list(numbers)})


async def add_hints(services: Services, domain: str, hints: Sequence[str]) -> dict[int, str]:
    vectors = services.embedder.encode(hints)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        return {
            (await add_hint(connection, found.id, hint, vector, provenance={}))[0]: hint
            for hint, vector in zip(hints, vectors, strict=True)
        }


@pytest.fixture
async def hinted(services: Services, load: Callable[..., Any], domain: str) -> str:
    """The sample films in a domain of one's own, with hints and no sessions."""
    await load(domain, sample_items())
    await add_hints(services, domain, HINTS)
    return domain


# Whatever a model answers

numbers = st.integers(-3, 30) | st.integers() | st.sampled_from([1.5, "3", " 4 ", True, None])
json_like = st.recursive(
    numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(st.sampled_from(["ranking", "number", "a"]), inner, max_size=3)
    ),
    max_leaves=25,
)
answers = st.one_of(
    st.text(),
    json_like.map(json.dumps),
    st.lists(st.integers(0, 12), max_size=20).map(ranking),
    st.permutations(range(1, len(CANDIDATES) + 1)).map(ranking),
    st.lists(st.integers(0, 10**30), max_size=12).map(lambda n: "\n".join(map(str, n))),
    st.tuples(st.text(max_size=30), json_like.map(json.dumps), st.text(max_size=30)).map("".join),
    st.sampled_from(
        [
            "[" * 5_000,
            '{"ranking": ' * 2_000,
            "9" * 200_000,
            "1, " * 100_000,
            "null",
            "[1e999]",
            '{"ranking": [NaN, 1]}',
            "\ud800 1 2 3",
            "\0",
        ]
    ),
)


@pytest.mark.long
@given(first=answers, second=answers)
@examples(max_examples=60, deadline=None)
async def test_whatever_a_model_answers_a_permutation_leaves_the_graph(
    services: Services, films: str, first: str, second: str
) -> None:
    from re2llm.llm.offline import OfflineRanker

    given_answers = iter([first, second])

    class Babbling(OfflineRanker):
        def _answer(self, messages: Sequence[BaseMessage]) -> str:
            return next(given_answers)

    services.models.register("babbling", Babbling())
    result = await recommend(films, model="babbling")
    assert_valid(result)
    assert result["llm_calls"] in {1, 2}
    assert all(isinstance(flag, str) for flag in result["flags"])
    json.dumps(result)


async def test_a_clean_answer_is_followed_to_the_letter(films: str, script: Script) -> None:
    order = random.Random(0).sample(range(1, len(CANDIDATES) + 1), len(CANDIDATES))
    shown: list[str] = []

    def answer(messages: Sequence[BaseMessage]) -> str:
        document = document_of(messages)
        shown.extend(candidate["title"] for candidate in document["candidates"])
        return ranking(order)

    name, model = script(answer)
    result = await recommend(films, model=name)
    assert_valid(result)
    assert [item["title"] for item in result["items"]] == [shown[n - 1] for n in order]
    assert (result["flags"], result["llm_calls"], len(model.asked)) == ([], 1, 1)


async def test_an_incomplete_answer_is_repaired_once(films: str, script: Script) -> None:
    complete = list(range(len(CANDIDATES), 0, -1))
    replies = iter([ranking([*complete[:3], 99]), ranking(complete)])
    name, model = script(lambda _: next(replies))
    result = await recommend(films, model=name)
    assert_valid(result)
    assert result["llm_calls"] == len(model.asked) == 2
    assert "repaired" in result["flags"]
    assert "missing" in result["flags"]
    assert "completed" not in result["flags"]
    assert ranking([*complete[:3], 99]) in model.asked[1][-2].text


async def test_a_short_answer_is_followed_and_completed(films: str, script: Script) -> None:
    name, model = script(lambda _: ranking([5, 2]))
    result = await recommend(films, model=name)
    assert_valid(result)
    titles = [c["title"] for c in document_of(model.asked[0])["candidates"]]
    assert [item["title"] for item in result["items"][:2]] == [titles[4], titles[1]]
    assert (result["flags"], result["llm_calls"]) == (["missing"], 1)


async def test_the_prompt_asks_for_ten_or_for_what_is_shown(films: str, script: Script) -> None:
    name, model = script(lambda _: ranking(range(1, 21)))
    for k, candidates in ((3, IDS[20:50]), (20, IDS[20:50]), (10, CANDIDATES)):
        await recommend(films, candidates=candidates, k=k, model=name)
    wanted = [document_of(messages)["wanted"] for messages in model.asked]
    assert wanted == [10, 20, len(CANDIDATES)]


def obedient(messages: Sequence[BaseMessage], unread: int) -> str:
    """Name as many titles or numbers as the last message asks for, but nothing at first."""
    if len(messages) // 2 <= unread:
        return "I would rather not."
    said = messages[-1].text
    found = re.search(r"(?:recommend the|list of|numbers of the|rank the best) (\d+)", said)
    assert found
    if "titles" in said:
        titles = re.findall(r"^- (.+)$", messages[1].text.split("Candidates (")[1], re.MULTILINE)
        return "\n".join(f"{n}. {one}" for n, one in enumerate(titles[: int(found[1])], start=1))
    return ranking(range(1, int(found[1]) + 1))


@pytest.mark.parametrize("unread", [0, 1])
@pytest.mark.parametrize("k", [5, 20, 50])
@pytest.mark.parametrize("prompt", ["json", "paper"])
@pytest.mark.parametrize("orders", [1, 2])
async def test_who_names_as_many_as_were_asked_for_is_not_asked_again(
    films: str, script: Script, prompt: Any, k: int, orders: int, unread: int
) -> None:
    name, model = script(lambda messages: obedient(messages, unread))
    result = await recommend(
        films, candidates=IDS[20:50], k=k, model=name, prompt=prompt, fuse="llm", orders=orders
    )
    assert len(model.asked) == orders + unread
    flags = {*result["flags"]} - {"invented"}
    assert flags == ({"wrong_format", "missing", "repaired"} if unread else set())
    assert result["faults"].get("missing", 0) == unread * orders * min(max(k, 10), 30)


async def test_a_stubborn_model_is_asked_no_third_time(films: str, script: Script) -> None:
    name, model = script(lambda _: "I would rather talk about the weather.")
    result = await recommend(films, model=name)
    assert_valid(result)
    assert result["llm_calls"] == len(model.asked) == 2
    assert {"wrong_format", "repaired", "completed"} <= set(result["flags"])


async def test_what_a_partial_answer_ranked_stays_in_front(films: str, script: Script) -> None:
    name, model = script(lambda _: ranking([5, 99, 2, 5]))
    result = await recommend(films, model=name)
    assert_valid(result)
    titles = [c["title"] for c in document_of(model.asked[0])["candidates"]]
    assert [item["title"] for item in result["items"][:2]] == [titles[4], titles[1]]
    assert {"repeated", "invented", "missing", "completed"} <= set(result["flags"])


async def test_a_model_that_fails_still_ends_in_a_flagged_ranking(
    services: Services, films: str, script: Script
) -> None:
    def fail(_: object) -> str:
        raise ConnectionError("the provider is down")

    name, model = script(fail)
    result = await recommend(films, model=name)
    assert_valid(result)
    assert {"model_failed", "connection"} <= set(result["flags"])
    assert result["llm_calls"] == len(model.asked) == 1 + services.settings.model_retries


async def test_a_model_that_fails_at_the_repair_still_ends_in_a_flagged_ranking(
    films: str, script: Script
) -> None:
    def answer(messages: Sequence[BaseMessage]) -> str:
        if len(messages) > 2:
            raise ConnectionError("the provider is down")
        return "?"

    name, _ = script(answer)
    result = await recommend(films, model=name)
    assert_valid(result)
    assert "completed" in result["flags"]


async def test_a_model_that_cannot_be_made_is_an_error(films: str) -> None:
    result = await recommend(films, model="nonsense:nothing")
    assert result["error"]["field"] == "model"


# The request


async def test_the_callers_order_of_candidates_does_not_matter(films: str) -> None:
    first = await recommend(films)
    assert_valid(first)
    for seed in range(3):
        shuffled = random.Random(seed).sample(CANDIDATES, len(CANDIDATES))
        assert (await recommend(films, candidates=shuffled))["ranking"] == first["ranking"]


async def test_the_prompts_order_follows_seed_and_history(films: str, script: Script) -> None:
    name, model = script(lambda _: ranking(range(1, len(CANDIDATES) + 1)))
    await recommend(films, model=name)
    await recommend(films, model=name)
    await recommend(films, model=name, seed=1)
    await recommend(films, model=name, history=HISTORY[:1])
    orders = [[c["title"] for c in document_of(m)["candidates"]] for m in model.asked]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]


@pytest.mark.parametrize("left_out", [None, []])
async def test_retrieval_leaves_the_history_out(
    films: str, settings: Settings, left_out: list[str] | None
) -> None:
    result = await recommend(films, candidates=left_out)
    assert len(result["ranking"]) == len(set(result["ranking"])) == settings.candidates
    assert set(result["ranking"]).isdisjoint(HISTORY)
    assert set(result["ranking"]) <= set(IDS)


async def test_without_sessions_retrieval_is_by_meaning(
    services: Services, domain: str, load: Callable[..., Any], settings: Settings
) -> None:
    await load(domain, sample_items())
    result = await recommend(domain, candidates=None)
    items = {item.id: item for item in sample_items()}
    others = [item for item in IDS if item not in HISTORY]
    vectors = services.embedder.encode([items[item].text for item in others])
    centre = services.embedder.encode([items[item].text for item in HISTORY]).mean(axis=0)
    nearest = np.argsort(-(vectors @ centre))[: settings.candidates]
    assert set(result["ranking"]) == {others[at] for at in nearest}


async def test_k_shortens_the_items_and_not_the_ranking(films: str) -> None:
    result = await recommend(films, k=2)
    assert len(result["items"]) == 2
    assert sorted(result["ranking"]) == sorted(CANDIDATES)


async def test_whole_numbers_pass_for_ids(load: Callable[..., Any], domain: str) -> None:
    await load(domain, [Item(str(n), f"Film {n}") for n in range(1, 6)])
    result = await recommend(domain, history=[1], candidates=[2, 3])
    assert sorted(result["ranking"]) == ["2", "3"]


async def test_an_item_may_stand_in_history_and_candidates(films: str) -> None:
    candidates = [*CANDIDATES, HISTORY[0]]
    assert_valid(await recommend(films, candidates=candidates), candidates)


BAD_REQUESTS = {
    "no list": ({"history": [["alien-1979"]]}, "history.0", "text"),
    "k of nought": ({"k": 0}, "k", "greater"),
    "unknown item in history": ({"history": ["no-such-film"]}, "history", "no-such-film"),
    "unknown candidate": ({"candidates": [*CANDIDATES, "nope"]}, "candidates", "nope"),
    "empty history": ({"history": []}, "history", "empty"),
    "one candidate": ({"candidates": CANDIDATES[:1]}, "candidates", "list of 1"),
    "too many": ({"candidates": [f"c{n}" for n in range(10_000)]}, "candidates", "10,000"),
    "twice": ({"candidates": [*CANDIDATES, CANDIDATES[0]]}, "candidates", CANDIDATES[0]),
}


@pytest.mark.parametrize(
    ("request_", "field", "named"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys()
)
async def test_bad_input_is_an_error_that_names_field_and_remedy(
    films: str,
    rows: Callable[[], dict[str, int]],
    request_: dict[str, Any],
    field: str,
    named: str,
) -> None:
    before = rows()
    result = await recommend(films, **request_, record=True)
    assert result["error"]["field"] == field
    assert named in result["error"]["problem"]
    assert result["error"]["remedy"]
    assert not result.get("ranking")
    assert rows() == before


async def test_an_unknown_domain_is_an_error_that_lists_the_known_ones(films: str) -> None:
    result = await recommend("nowhere")
    assert result["error"]["field"] == "domain"
    assert films in result["error"]["problem"]


@pytest.mark.parametrize("item", ["nul\0byte", "half \ud800 surrogate", "x" * 100_000, ""])
async def test_ids_that_no_database_can_hold_are_unknown_items(films: str, item: str) -> None:
    result = await recommend(films, history=[*HISTORY, item])
    assert result["error"]["field"] == "history"
    assert len(result["error"]["problem"]) < 300


async def test_a_history_of_everything_leaves_nothing_to_recommend(films: str) -> None:
    result = await recommend(films, history=IDS, candidates=None)
    assert result["error"]["field"] == "history"


# Hints


async def test_no_policy_gives_no_hint(hinted: str) -> None:
    result = await recommend(hinted, policy="none")
    assert result["hint"] == {"id": None, "text": None, "policy": "none", "probability": 1.0}


@pytest.mark.parametrize("policy", ["random", "similar"])
async def test_without_hints_none_is_given(
    load: Callable[..., Any], domain: str, policy: str
) -> None:
    await load(domain, sample_items())
    result = await recommend(domain, policy=policy)
    assert (result["hint"]["text"], result["hint"]["probability"]) == (None, 1.0)


@pytest.mark.long
async def test_random_chooses_every_hint_equally_often(hinted: str) -> None:
    calls = 160

    async def one(seed: int) -> Result:
        return await recommend(hinted, policy="random", seed=seed, candidates=CANDIDATES[:2])

    results = await asyncio.gather(*(one(seed) for seed in range(calls)))
    chosen = Counter(result["hint"]["text"] for result in results)
    assert {result["hint"]["probability"] for result in results} == {1 / len(HINTS)}
    assert chosen.keys() == set(HINTS)
    expected = calls / len(HINTS)
    chi_square = sum((count - expected) ** 2 / expected for count in chosen.values())
    assert chi_square < 16.3  # 3 degrees of freedom, p = 0.001
    assert (await one(7))["hint"] == results[7]["hint"]


async def test_similar_chooses_the_nearest_hint_by_meaning(services: Services, hinted: str) -> None:
    items = {item.id: item for item in sample_items()}
    hints = services.embedder.encode(HINTS)
    generator = random.Random(3)
    chosen: set[str] = set()
    for _ in range(12):
        history = generator.sample(IDS, generator.randint(1, 5))
        vectors = services.embedder.encode([items[item].text for item in history])
        centre = vectors.mean(axis=0)
        nearest = HINTS[int(np.argmax(hints @ centre))]
        result = await recommend(hinted, history=history, policy="similar")
        assert result["hint"]["text"] == nearest
        assert result["hint"]["probability"] == 1.0
        chosen.add(nearest)
    assert len(chosen) > 1


async def test_the_chosen_hint_stands_in_the_prompt(hinted: str, script: Script) -> None:
    name, model = script(lambda _: ranking(range(1, len(CANDIDATES) + 1)))
    result = await recommend(hinted, policy="similar", model=name)
    assert document_of(model.asked[0])["hint"] == result["hint"]["text"]


async def test_retired_and_foreign_hints_are_never_chosen(
    services: Services, hinted: str, load: Callable[..., Any]
) -> None:
    other = f"test-{uuid.uuid4().hex[:8]}"
    await load(other, sample_items()[:3])
    await add_hints(services, other, ["A hint of another domain."])
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, hinted)
        await connection.execute(
            text(
                "UPDATE re2llm.hint SET status = 'retired' WHERE domain_id = :id AND text <> :kept"
            ),
            {"id": domain.id, "kept": HINTS[3]},
        )
    for policy in ("random", "similar"):
        for seed in range(5):
            result = await recommend(hinted, policy=policy, seed=seed)
            assert result["hint"]["text"] == HINTS[3]
            assert result["hint"]["probability"] == 1.0


# The log


async def test_an_answer_is_logged_with_its_probability(services: Services, hinted: str) -> None:
    result = await recommend(hinted, policy="random", record=True)
    async with services.engine.connect() as connection:
        statement = text("SELECT * FROM re2llm.recommendation WHERE id = :id")
        row = (await connection.execute(statement, {"id": result["recommendation_id"]})).one()
    assert row.ranking == result["ranking"]
    assert row.history == HISTORY
    assert sorted(row.candidates) == sorted(CANDIDATES)
    assert (row.policy, row.hint_id) == ("random", result["hint"]["id"])
    assert row.probability == 1 / len(HINTS)
    assert (row.model, row.flags) == ("offline", [])
    assert row.latency_ms > 0


async def test_without_record_nothing_is_logged(
    films: str, rows: Callable[[], dict[str, int]]
) -> None:
    before = rows()
    result = await recommend(films, record=False)
    assert result["recommendation_id"] is None
    assert rows() == before


# Inside other programs


async def test_the_state_can_be_checkpointed(films: str) -> None:
    saver = InMemorySaver()
    compiled = build_graph().builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "1"}}
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    result = await compiled.ainvoke(request, config, context=Context(record=False))
    assert_valid(result)
    states = [state async for state in compiled.aget_state_history(config)]
    assert len(states) >= 5
    values = states[0].values
    assert json.loads(json.dumps(values)) == values
    # The thread answers a second, different request afresh.
    again: Any = {"domain": films, "history": HISTORY[:1], "candidates": CANDIDATES[:3]}
    second = await compiled.ainvoke(again, config, context=Context(record=False))
    assert_valid(second, CANDIDATES[:3])


async def test_no_checkpoint_of_ours_holds_the_users_name(films: str) -> None:
    saver = InMemorySaver()
    compiled = build_graph().builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "1"}}
    named: Any = {
        "domain": films,
        "history": HISTORY,
        "candidates": CANDIDATES,
        "user": "Ada Byron",
    }
    await compiled.ainvoke(named, config, context=Context(record=False))
    await compiled.ainvoke({**named, "user": None}, config, context=Context(record=False))
    kept = [found async for found in saver.alist(config)]
    assert len(kept) >= 10
    for found in kept:
        # The record of the input is LangGraph's own, of what the host has sent.
        found.checkpoint["channel_values"].pop("__start__", None)
    assert "Ada" not in str(kept)


async def test_a_thread_recovers_from_a_bad_request(films: str) -> None:
    compiled = build_graph().builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    bad: Any = {"domain": films, "history": [], "candidates": CANDIDATES}
    good: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    context = Context(record=False)
    assert (await compiled.ainvoke(bad, config, context=context))["error"]["field"] == "history"
    assert_valid(await compiled.ainvoke(good, config, context=context))
    spoilt = await compiled.ainvoke(bad, config, context=context)
    assert spoilt["error"]["field"] == "history"
    old = RecommendResult.__annotations__.keys() - {"error", "domain"}
    assert not any(spoilt[key] for key in old)
    assert_valid(await compiled.ainvoke(good, config, context=context))
    # Also where a later node fails.
    lost = replace(context, model="no-such-provider:x")
    spoilt = await compiled.ainvoke(good, config, context=lost)
    assert spoilt["error"]["field"] == "model"
    assert (spoilt["items"], spoilt["ranking"], spoilt["recommendation_id"]) == ([], [], None)


async def test_an_omitted_key_is_not_taken_from_the_threads_last_request(films: str) -> None:
    compiled = build_graph().builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    context = Context(record=False)
    first: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES[:3], "k": 2}
    await compiled.ainvoke(first, config, context=context)
    second: Any = {"domain": films, "history": HISTORY}
    result = await compiled.ainvoke(second, config, context=context)
    assert len(result["ranking"]) > len(CANDIDATES[:3])
    assert len(result["items"]) == 10


@dataclass
class HostContext:
    """A host's own context, which knows nothing of ours; `domain` is a decoy."""

    user: str = "u"
    domain: int = 7


class HostState(TypedDict, total=False):
    history: list[str]
    candidates: list[str]
    domain: str
    ranking: list[str]
    error: dict[str, str] | None


async def test_as_a_subgraph_of_a_host_with_another_context(films: str) -> None:
    builder = StateGraph(HostState, context_schema=HostContext)
    builder.add_node("recommend", build_graph())
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    host = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "host"}}
    result = await host.ainvoke(request, config, context=HostContext())
    assert sorted(result["ranking"]) == sorted(CANDIDATES)


class Shelf(HostState, total=False):
    items: list[dict[str, Any]]
    hint: dict[str, Any]
    recommendation_id: str | None
    faults: Annotated[dict[str, int], operator.or_]
    seen: Annotated[list[str], operator.add]


class Collected(HostState, total=False):
    items: Annotated[list[dict[str, Any]], operator.add]


def host_of(state: type, *, saver: InMemorySaver | None = None) -> Any:
    builder: Any = StateGraph(state)
    builder.add_node("recommend", build_graph())
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("wrong", ["history", "candidates"])
async def test_a_host_does_not_keep_the_last_answer_beside_an_error(films: str, wrong: str) -> None:
    host = host_of(Shelf, saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    good = await host.ainvoke(request, config)
    assert good["items"]
    assert good["recommendation_id"]
    bad = await host.ainvoke(request | {wrong: ["no-such"]}, config)
    assert bad["error"]["field"] == wrong
    given = {key: bad[key] for key in ("items", "ranking", "hint", "recommendation_id")}
    assert given == {"items": [], "ranking": [], "hint": None, "recommendation_id": None}
    assert (await host.ainvoke(request, config))["items"] == good["items"]


async def test_a_host_that_loops_does_not_keep_the_last_answer_either(films: str) -> None:
    wanted = [HISTORY, ["no-such"]]

    def next_one(state: Any) -> Any:
        return {"history": wanted[len(state.get("seen", []))], "seen": ["one"]}

    builder: Any = StateGraph(Shelf)
    builder.add_node("next", next_one)
    builder.add_node("recommend", build_graph())
    builder.add_edge(START, "next")
    builder.add_edge("next", "recommend")
    builder.add_conditional_edges(
        "recommend", lambda state: "next" if len(state["seen"]) < len(wanted) else END
    )
    request: Any = {"domain": films, "candidates": CANDIDATES}
    state = await builder.compile().ainvoke(request)
    assert state["error"]["field"] == "history"
    assert (state["items"], state["recommendation_id"]) == ([], None)


async def test_a_host_may_add_up_the_lists_of_all_answers(films: str) -> None:
    host = host_of(Collected, saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES[:2]}
    await host.ainvoke(request, config)
    refused = await host.ainvoke(request | {"history": ["no-such"]}, config)
    assert (len(refused["items"]), refused["error"]["field"]) == (2, "history")
    assert len((await host.ainvoke(request, config))["items"]) == 4


@pytest.mark.parametrize(
    "context", [None, {"policy": "none", "record": False}, Context(record=False)]
)
async def test_any_context_or_none_will_do(films: str, context: Any) -> None:
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    assert_valid(await graph.ainvoke(request, context=context))


async def test_nothing_blocks_the_event_loop(films: str) -> None:
    with blockbuster_ctx():
        for policy in ("none", "random", "similar"):
            assert_valid(await recommend(films, policy=policy, record=True))
        assert (await recommend(films, candidates=None)).get("error") is None


async def test_opening_the_services_does_not_block_the_event_loop(films: str) -> None:
    """In a loop of its own, as a fresh server would."""
    from re2llm.runtime.sharing import close_shared_services

    async def run() -> Result:
        try:
            return await recommend(films)
        finally:
            await close_shared_services()

    def fresh_loop() -> Result:
        with blockbuster_ctx():
            return asyncio.run(run())

    assert_valid(await asyncio.to_thread(fresh_loop))


async def test_many_requests_at_once(films: str, film_sessions: list[Session]) -> None:
    async def one(session: Session) -> list[str]:
        result = await recommend(films, session.history, record=True)
        assert_valid(result)
        return result["ranking"]

    at_once = await asyncio.gather(*(one(session) for session in film_sessions[:30]))
    for session, expected in list(zip(film_sessions, at_once, strict=False))[:3]:
        assert await one(session) == expected
