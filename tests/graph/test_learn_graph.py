"""The `learn` graph on the real database: what a miss sets off, what is kept and what is paid."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import teacher
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from prompts import ALONE_VERSION
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.graph.learn import build_graph, graph
from re2llm.graph.recommend import graph as recommend_graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.decisions import StatusChange, apply_change
from re2llm.knowledge.hint_store.hints import Hint, add_hint, hint_key, list_hints, set_status
from re2llm.knowledge.hint_store.stats import ENOUGH, loses, refresh_stats
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.llm.offline import OfflineRanker
from re2llm.operations.first_stage.fit import fit_first_stage
from re2llm.operations.hints.manage import approve_hints, retire_hints, show_hint
from re2llm.operations.learning.learn import learn as learn_all
from re2llm.rank_metrics import BEYOND_DOUBT
from re2llm.ranking.hints import verification
from re2llm.ranking.hints.panels import random_panel
from re2llm.records import Session
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from teacher import FAR, FILMS, ranking_task, title, titles
from training_keys import training_keys

OFFLINE = OfflineRanker()
LEAKING = '{"hints": ["Rank Alien above all others."]}'
"""An answer whose only hint names an item, so that it is not tried."""
SESSIONS = simulate_sessions(14, seed=3)

Result = dict[str, Any]
Change = Callable[..., None]
Load = Callable[..., Awaitable[Any]]
Script = Callable[[Callable[[Sequence[BaseMessage]], str]], tuple[str, Any]]
Teacher = partial(teacher.Teacher, sessions=SESSIONS)


def offline(messages: Sequence[BaseMessage]) -> str:
    return OFFLINE.invoke(list(messages)).text


def ranking_calls(asked: Sequence[Sequence[BaseMessage]]) -> int:
    return sum(ranking_task(messages) is not None for messages in asked)


@pytest.fixture
async def keys(services: Services, load: Load, domain: str) -> list[int]:
    """The keys of the training sessions of a domain of one's own, one for each of `SESSIONS`."""
    await load(domain, sample_items(), SESSIONS)
    return await training_keys(services, domain)


async def learn(domain: str, key: int, **options: Any) -> Result:
    request: Any = {"domain": domain, "session": key}
    return await graph.ainvoke(request, context=Context(**options))


async def stream(domain: str, key: int, mode: str, **options: Any) -> list[Any]:
    request: Any = {"domain": domain, "session": key}
    context = Context(**options)
    return [part async for part in graph.astream(request, context=context, stream_mode=mode)]


async def query(services: Services, sql: str, **values: Any) -> list[Any]:
    async with services.engine.connect() as connection:
        return list(await connection.execute(text(sql), values))


async def trials(services: Services, model: str) -> list[Any]:
    sql = (
        "SELECT session_id, hint_key, rank, ndcg FROM re2llm.hint_trial WHERE model = :model "
        "ORDER BY session_id, hint_key"
    )
    return await query(services, sql, model=model)


async def reflections(services: Services, model: str) -> list[Any]:
    return await query(
        services, "SELECT * FROM re2llm.reflection WHERE model = :model", model=model
    )


async def proposals(services: Services, domain: str) -> list[Any]:
    return await query(
        services,
        "SELECT p.* FROM re2llm.hint_proposal AS p JOIN re2llm.domain AS d ON d.id = p.domain_id "
        "WHERE d.name = :domain ORDER BY p.id",
        domain=domain,
    )


async def hints(services: Services, domain: str) -> list[Hint]:
    async with services.engine.connect() as connection:
        return await list_hints(connection, (await find_domain(connection, domain)).id)


async def add(services: Services, domain: str, hint: str, status: str = "active") -> int:
    vector = services.embedder.encode([hint])[0]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        return (await add_hint(connection, found.id, hint, vector, provenance={}, status=status))[0]


def missed_by_offline(domain: str, keys: Sequence[int]) -> Awaitable[tuple[int, int]]:
    """Find a session that the offline model misses, and one that it hits."""

    async def find() -> tuple[int, int]:
        ranks: dict[bool, int] = {}
        for key in keys:
            parts = await stream(domain, key, "updates")
            update = next(part["check"] for part in parts if "check" in part)
            ranks.setdefault(update["missed"], key)
            if len(ranks) == 2:
                break
        return ranks[True], ranks[False]

    return find()


# The machine


async def test_a_miss_runs_the_whole_machine_and_a_hit_ends_after_check(
    services: Services, adjust: Change, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=3, verify_near=1)
    missed, hit = await missed_by_offline(domain, keys)
    start = ["pick_session", "prepare", "select_hint", "recommend", "check"]
    for key, path in ((missed, [*start, "reflect", "verify_hint", "store_hint"]), (hit, start)):
        parts = await stream(domain, key, "updates")
        assert [name for part in parts for name in part] == path
    result = await learn(domain, hit)
    assert result["error"] is None
    assert result["rank"] <= 10
    assert result["proposals"] == []
    # On a thread, what came of an earlier miss is no part of a later answer.
    thread: Any = {"configurable": {"thread_id": "1"}}
    own = build_graph().copy({"checkpointer": InMemorySaver()})
    first: Any = {"domain": domain, "session": missed}
    assert (await own.ainvoke(first, thread))["proposals"]
    after: Any = {"domain": domain, "session": hit}
    again = await own.ainvoke(after, thread)
    assert (again["rank"], again["proposals"]) == (result["rank"], [])
    unknown = await own.ainvoke({"domain": domain, "session": 2**30}, thread)
    assert unknown["error"]["field"] == "session"
    assert unknown["rank"] is None


@pytest.mark.long
async def test_an_empty_request_takes_the_next_session_until_none_is_left(
    script: Script, domain: str, keys: list[int]
) -> None:
    name, _ = script(Teacher([], lambda hint, history: 1))
    seen = [
        (await graph.ainvoke({"domain": domain}, context=Context(model=name)))["training_session"]  # type: ignore[arg-type]
        for _ in keys
    ]
    assert sorted(seen) == sorted(keys)
    result = await graph.ainvoke({"domain": domain}, context=Context(model=name))  # type: ignore[arg-type]
    assert result["error"]["field"] == "domain"


async def test_a_paid_rank_counts_whatever_order_the_candidates_have_today(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    """Else a known miss would be a hit when it is learned from, and be taken again for ever."""
    adjust(verify_random=0, verify_near=0)
    name, _ = script(Teacher([], lambda hint, history: 1))
    await learn(domain, keys[0], model=name)
    moved = text("UPDATE re2llm.hint_trial SET rank = :rank, ndcg = 0 WHERE model = :model")
    async with services.engine.begin() as connection:
        await connection.execute(moved, {"rank": FAR, "model": name})
    result = await learn(domain, keys[0], model=name)
    assert (result["rank"], result["missed"]) == (FAR, True)
    assert [row.rank for row in await reflections(services, name)] == [FAR]


class DeclinedError(Exception):
    """What a provider raises whose filter stops a prompt."""

    status_code = 400


@pytest.mark.parametrize("declines", ["nothing", "ranking", "reflecting"])
async def test_no_session_is_taken_again_for_ever(
    services: Services, adjust: Change, script: Script, load: Load, domain: str, declines: str
) -> None:
    """Also where the model never sees the target, or declines what it is asked."""
    adjust(rerank=12, verify_random=0, verify_near=0)
    ids = list(FILMS)
    sessions = [
        Session(tuple(ids[n : n + 2]), ids[n + 9], tuple(ids[n + 2 : n + 62])) for n in range(12)
    ]
    await load(domain, sample_items(), sessions)
    teacher = Teacher([], lambda hint, history: FAR, sessions=sessions)

    def answer(messages: Sequence[BaseMessage]) -> str:
        document = ranking_task(messages)
        if declines == ("reflecting" if document is None else "ranking"):
            raise DeclinedError("Content Exists Risk")
        if document is None:
            return teacher(messages)
        target = teacher.targets[tuple(entry["title"] for entry in document["history"])]
        numbers = [entry["number"] for entry in document["candidates"]]
        seen = [entry["number"] for entry in document["candidates"] if entry["title"] == target]
        return json.dumps({"ranking": [*(n for n in numbers if n not in seen), *seen]})

    name, model = script(answer)
    context = Context(domain=domain, model=name, fuse="learned")
    await fit_first_stage(await resolve_context(context))
    for _ in sessions:
        await graph.ainvoke({"domain": domain}, context=context)  # type: ignore[arg-type]
    kept = await trials(services, name)
    assert len(kept) == len(sessions)
    assert any(row.rank > 12 for row in kept)
    asked = len(model.asked)
    result = await graph.ainvoke({"domain": domain}, context=context)  # type: ignore[arg-type]
    assert "no session left" in result["error"]["problem"]
    learnt = await learn_all(context, tidy=False)
    assert (learnt.sessions, learnt.sessions_left) == (0, 0)
    assert len(model.asked) == asked


@pytest.mark.parametrize("said", [None, "I would watch more films.", LEAKING])
async def test_where_one_reflecting_model_gives_no_hint_another_is_asked(
    adjust: Change, script: Script, domain: str, keys: list[int], said: str | None
) -> None:
    """Be it that it declines, writes nothing that can be read, or names what may not be named."""
    adjust(verify_random=0, verify_near=0)
    teacher = Teacher(["Prefer silent films."], lambda hint, history: FAR)
    name, _ = script(teacher)

    def hintless(messages: Sequence[BaseMessage]) -> str:
        if said is None:
            raise DeclinedError("Content Exists Risk")
        return said

    strict, asked = script(hintless)
    lenient, _ = script(teacher)
    counts: list[tuple[int, int, int, int]] = []
    advised: list[bool] = []
    for reflects in (strict, strict, lenient, strict):
        context = Context(domain=domain, model=name, reflect_model=reflects)
        found = await learn_all(context, tidy=False)
        assert (found.failed, found.sessions_left, found.stopped) == (0, 0, None)
        tried = found.proposed - found.leak
        counts.append((found.sessions, found.missed, found.declined, tried))
        advised.append("RE2LLM_REFLECT_MODEL" in found.advice)
    count = len(keys)
    nothing = (0, 0, 0, 0)
    declined = count if said is None else 0
    assert counts == [(count, count, declined, 0), nothing, (count, count, 0, count), nothing]
    assert len(asked.asked) == (count if said is None else 3 * count)
    assert advised == [said is not None, False, False, False]


async def test_nothing_gives_the_target_away_before_the_reveal(
    adjust: Change, script: Script, load: Load, domain: str
) -> None:
    """The same history and candidates with another target: every word up to the reveal is equal."""
    adjust(verify_random=0, verify_near=0)
    history = list(SESSIONS[0].history)
    candidates = [item for item in FILMS if item not in history][:40]
    both = {title(item) for item in candidates[:2]}

    def answer(messages: Sequence[BaseMessage]) -> str:
        document = ranking_task(messages)
        if document is None:
            return "{}"
        last = sorted(document["candidates"], key=lambda entry: entry["title"] in both)
        return json.dumps({"ranking": [entry["number"] for entry in last]})

    shown: list[list[list[str]]] = []
    for target in candidates[:2]:
        name, model = script(answer)
        own = f"{domain}-{target}"
        await load(own, sample_items(), SESSIONS)
        observed = {"history": history, "target": target, "candidates": candidates}
        request: Any = {"domain": own, "observed": observed}
        result = await graph.ainvoke(request, context=Context(model=name))
        assert result["rank"] > 10
        shown.append([[message.text for message in messages] for messages in model.asked])
        assert title(target) in shown[-1][2][-1]
    before, after = [conversation[:2] for conversation in shown], [c[2] for c in shown]
    assert before[0] == before[1]
    assert after[0][:-1] == after[1][:-1]
    assert after[0][-1] != after[1][-1]
    said = [words for messages in before[0] for words in messages]
    assert not any(item in words for item in candidates[:2] for words in said)
    apart = [words for words in said if "\nCandidates, " not in words]
    assert not any(name in words for name in both for words in apart)


async def test_the_offline_model_is_told_no_more_than_any_other(
    adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    """The id of the target stands nowhere, and its title only in the list before the reveal."""
    adjust(verify_random=2, verify_near=0)
    missed, _ = await missed_by_offline(domain, keys)
    name, model = script(offline)
    await learn(domain, missed, model=name)
    target = dict(zip(keys, SESSIONS, strict=True))[missed].target
    conversation = [messages for messages in model.asked if "next item" in messages[0].text]
    revealed = next(
        place for place, messages in enumerate(conversation) if '"chosen"' in messages[-1].text
    )
    assert revealed
    for messages in conversation[:revealed]:
        assert all(target not in message.text for message in messages)
        for message in messages:
            if "\nCandidates, " not in message.text:
                assert title(target) not in message.text


async def test_each_step_is_streamed_in_order(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=8, verify_near=2)
    good, bad = "Prefer what everyone has seen.", "Avoid the same director as before."
    name, _ = script(Teacher([good, bad], lambda hint, history: 1 if hint == good else FAR))
    events = await stream(domain, keys[0], "custom", model=name)
    names = [event["event"] for event in events]
    assert names == ["missed", "diagnosis", "hint", "hint", "verified", "verified", "stored"]
    missed, diagnosis, first, second, kept, refused, stored = events
    assert (missed["rank"], missed["session"]) == (FAR, keys[0])
    assert diagnosis["text"] == "Because."
    assert [first["text"], second["text"]] == [good, bad]
    assert kept["outcome"] == "effective"
    assert kept["mean"] == pytest.approx(1.0)
    assert kept["helped"] == kept["sessions"] >= 8
    assert kept["own_rank"] == [FAR, 1]
    assert refused["outcome"] == "ineffective"
    assert refused["reason"]
    [hint] = await hints(services, domain)
    assert (stored["text"], stored["hint"]) == (good, hint.id)
    json.dumps(events)


# What is paid


@pytest.mark.long
async def test_no_trial_is_paid_twice(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=6, verify_near=2)
    name, model = script(offline)
    for key in keys[:6]:
        await learn(domain, key, model=name)
    kept = await trials(services, name)
    assert ranking_calls(model.asked) == len(kept) > 6
    for key in keys[:6]:
        await learn(domain, key, model=name)
    assert ranking_calls(model.asked) == len(kept)
    assert await trials(services, name) == kept


async def test_another_run_of_a_hit_makes_no_call_at_all(
    services: Services, script: Script, domain: str, keys: list[int]
) -> None:
    name, model = script(Teacher([], lambda hint, history: 3))
    first = await learn(domain, keys[0], model=name)
    second = await learn(domain, keys[0], model=name)
    assert len(model.asked) == 1
    assert first["rank"] == second["rank"] == 3


async def test_every_trial_has_the_rank_that_the_model_gave(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=6, verify_near=2)
    hint = "Prefer what everyone has seen."
    places = {hint: 2, None: FAR}
    name, _ = script(Teacher([hint], lambda given, history: places[given]))
    await learn(domain, keys[0], model=name)
    found = {(row.hint_key, row.rank) for row in await trials(services, name)}
    assert found == {(hint_key(hint), 2), (hint_key(None), FAR)}
    for row in await trials(services, name):
        expected = 1 / np.log2(row.rank + 1) if row.rank <= 10 else 0.0
        assert row.ndcg == pytest.approx(expected)


# A model that fails


def _failing(when: str, hint: str) -> Callable[[Sequence[BaseMessage]], str]:
    teacher = Teacher([hint], lambda given, history: FAR)

    def answer(messages: Sequence[BaseMessage]) -> str:
        document = ranking_task(messages)
        failing = {
            "ranking": document is not None,
            "reflecting": document is None and '{"hints"' in messages[-1].text,
            "trying": document is not None and "hint" in document,
        }
        if failing[when]:
            raise TimeoutError
        return teacher(messages)

    return answer


@pytest.mark.long
@pytest.mark.parametrize("when", ["ranking", "reflecting", "trying"])
async def test_a_model_that_fails_teaches_nothing(
    services: Services, script: Script, domain: str, keys: list[int], when: str
) -> None:
    hint = "Prefer what everyone has seen."
    name, model = script(_failing(when, hint))
    result = await learn(domain, keys[0], model=name)
    assert result["error"]["field"] == "model"
    assert name in result["error"]["problem"]
    assert await reflections(services, name) == []
    assert await proposals(services, domain) == []
    assert await hints(services, domain) == []
    kept = await trials(services, name)
    assert [row.hint_key for row in kept] == ([] if when == "ranking" else [hint_key(None)])
    # It is back: the session is still there to learn from.
    model.answer = Teacher([hint], lambda given, history: 1 if given else FAR)
    result = await learn(domain, keys[0], model=name)
    assert result["error"] is None
    assert [proposal["outcome"] for proposal in result["proposals"]] == ["stored"]


async def test_a_model_that_talks_nonsense_settles_the_session_without_a_hint(
    services: Services, script: Script, domain: str, keys: list[int]
) -> None:
    name, _ = script(lambda messages: "banana")
    for key in keys[:12]:
        result = await learn(domain, key, model=name)
        assert result["error"] is None
        assert result.get("proposals", []) == []
    assert await hints(services, domain) == []
    flagged = "SELECT flags FROM re2llm.hint_trial WHERE model = :model"
    for row in await query(services, flagged, model=name):
        assert "completed" in row.flags


async def test_bad_requests_are_told(domain: str, keys: list[int]) -> None:
    own = SESSIONS[0]
    bad: list[tuple[str, dict[str, Any]]] = [
        ("session", {"session": 2**31 - 1}),
        ("observed.target", {"observed": {"history": list(own.history)}}),
        ("observed.history", {"observed": {"history": [], "target": own.target}}),
        ("candidates", {"observed": {"history": list(own.history), "target": own.target,
                                     "candidates": [own.history[0], own.history[1]]}}),
        ("history", {"observed": {"history": ["no-such-film"], "target": own.target}}),
        ("target", {"observed": {"history": list(own.history), "target": "no-such-film"}}),
        ("target", {"observed": {"history": list(own.history), "target": ""}}),
        ("candidates", {"observed": {"history": list(own.history), "target": own.target,
                                     "candidates": [own.target, "no-such-film"]}}),
        ("domain", {"domain": "no-such-domain"}),
    ]  # fmt: skip
    for field, request in bad:
        result = await graph.ainvoke({"domain": domain, **request}, context=Context())  # type: ignore[arg-type]
        assert result["error"]["field"] == field, request
        assert result["error"]["remedy"]


# Verification


@pytest.mark.parametrize(
    ("rule", "outcome"), [("paper", "stored"), ("transfer", "ineffective")]
)  # fmt: skip
async def test_a_lesson_that_holds_for_its_own_session_alone(
    services: Services,
    adjust: Change,
    script: Script,
    domain: str,
    keys: list[int],
    rule: str,
    outcome: str,
) -> None:
    adjust(verify_rule=rule, verify_random=20, verify_near=4)
    own = titles(SESSIONS[0])
    name, _ = script(
        Teacher(
            ["Prefer silent films."], lambda hint, history: 1 if hint and history == own else FAR
        )
    )
    result = await learn(domain, keys[0], model=name)
    [proposal] = result["proposals"]
    assert proposal["outcome"] == outcome
    assert proposal["reason"]
    tried = [row for row in await trials(services, name) if row.hint_key != hint_key(None)]
    assert len(tried) == (1 if rule == "paper" else 13)


@pytest.mark.parametrize("rule", ["paper", "transfer"])
async def test_a_lesson_that_does_not_fix_its_own_session_is_refused(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int], rule: str
) -> None:
    adjust(verify_rule=rule)
    own = titles(SESSIONS[0])
    name, _ = script(
        Teacher(["Prefer silent films."], lambda hint, history: FAR if history == own else 1)
    )
    result = await learn(domain, keys[0], model=name)
    assert [proposal["outcome"] for proposal in result["proposals"]] == ["ineffective"]
    assert len(await trials(services, name)) == 2


async def test_a_lesson_about_the_chosen_item_is_refused_before_it_is_tried(
    services: Services, script: Script, domain: str, keys: list[int]
) -> None:
    """When a hint is read, nobody knows which item will be chosen."""
    vain = "Prefer candidates that are more like the chosen item."
    lesson = "Prefer films that other people have chosen."
    name, _ = script(Teacher([vain, lesson], lambda hint, history: FAR))
    refused, tried = (await learn(domain, keys[0], model=name))["proposals"]
    assert refused["outcome"] == tried["outcome"] == "ineffective"
    assert "chosen item" in refused["reason"]
    used = {row.hint_key for row in await trials(services, name)}
    assert used == {hint_key(None), hint_key(lesson)}


@pytest.mark.long
async def test_the_figures_of_a_verification_are_those_of_its_trials(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=30, verify_near=6)
    hint = "Prefer what everyone has seen."

    def place(given: str | None, history: tuple[str, ...]) -> int:
        kind = sum(map(len, history)) % 4
        return (FAR, 4, 6, 1)[kind] if given is None else (2, 3, 9, 1)[kind]

    name, _ = script(Teacher([hint], place))
    missed = next(
        key
        for key, session in zip(keys, SESSIONS, strict=True)
        if place(None, titles(session)) > 10
    )
    result = await learn(domain, missed, model=name)
    [proposal] = result["proposals"]
    ndcg = {(row.session_id, row.hint_key): row.ndcg for row in await trials(services, name)}
    gains = np.array(
        [
            value - ndcg[session, hint_key(None)]
            for (session, key), value in ndcg.items()
            if key == hint_key(hint) and session != missed
        ]
    )
    figures = proposal["verification"]
    error = 1.645 * gains.std(ddof=1) / np.sqrt(len(gains))
    assert figures["sessions"] == len(gains) >= 25
    assert figures["mean"] == pytest.approx(gains.mean(), abs=1e-4)
    assert figures["ci90"] == pytest.approx([gains.mean() - error, gains.mean() + error], abs=1e-4)
    assert (figures["helped"], figures["harmed"]) == ((gains > 0).sum(), (gains < 0).sum())
    [row] = await proposals(services, domain)
    assert row.verification == figures


async def test_a_hint_in_doubt_is_given_up_where_the_budget_cannot_settle_it(
    adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=5, verify_near=0, verify_doubtful=2)
    own, hint = keys[0], "Prefer what everyone has seen."
    options = await resolve_context(Context(domain=domain))
    panel = await random_panel(domain, options, leave_out={own})
    known = dict(zip(keys, map(titles, SESSIONS), strict=True))
    helped = {known[own], known[panel.first[0]]}  # one of five: it may help, or not

    def place(given: str | None, history: tuple[str, ...]) -> int:
        return 1 if given is not None and history in helped else FAR

    async def tried(limit: int | None) -> tuple[int, int]:
        name, _ = script(Teacher([hint], place))
        budget = Budget(max_llm_calls=limit)
        result = await learn(domain, own, model=name, budget=budget)
        [proposal] = result["proposals"]
        assert proposal["outcome"] == "ineffective"
        return proposal["verification"]["sessions"], budget.llm_calls

    few, everything = len(panel.first), len(panel.first) + len(panel.more)
    assert few < everything
    sessions, calls = await tried(None)
    assert sessions == everything
    assert await tried(calls) == (everything, calls)
    assert await tried(calls - 1) == (few, calls - 2 * len(panel.more))


@pytest.mark.parametrize(
    ("gains", "few", "settled"),
    [
        ([-0.1] * 11, 30, False),
        ([-0.1] * 12, 30, True),
        ([-0.1] * 13, 30, False),
        ([0.5, -0.5] * 6, 30, False),
        ([0.5, -0.5] * 20, 50, True),
        ([0.5, -0.4] * 20, 50, False),
        ([0.5] * 29, 30, False),
        ([0.5] * 30, 30, True),
        ([0.5] * 31, 30, False),
        ([0.5, -0.4] * 15, 30, False),
        ([0.5, -0.5] * 15, 30, True),
    ],
)
def test_trials_end_at_the_counts_at_which_a_hint_is_decided(
    gains: list[float], few: int, *, settled: bool
) -> None:
    assert verification.settled(gains, few) is settled


@pytest.mark.parametrize(("losses", "settled"), [(8, False), (25, True)])
def test_trials_of_a_hint_in_use_go_on_until_its_harm_retires_it(
    losses: int, *, settled: bool
) -> None:
    gains = [-0.2] * losses + [0.0] * (ENOUGH - losses)
    found = verification.verification(gains)
    assert found.high < 0
    assert verification.settled(gains, 96, ENOUGH) is settled
    margin = (found.high - found.mean) / BEYOND_DOUBT
    assert loses(ENOUGH, found.mean, margin) is settled


# What is kept


@pytest.mark.parametrize("policy", ["random", "similar", "static", "ppo"])
async def test_a_pending_or_retired_hint_is_never_chosen(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int], policy: str
) -> None:
    adjust(approve_hints=True, verify_random=6, verify_near=0)
    name, _ = script(Teacher(["Prefer silent films."], lambda hint, history: 1 if hint else FAR))
    await learn(domain, keys[0], model=name)
    [hint] = await hints(services, domain)
    assert hint.status == "pending"
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await refresh_stats(connection, found.id, PromptedModel(name, ALONE_VERSION), keys)

    async def chosen() -> int | None:
        request: Any = {"domain": domain, "history": list(SESSIONS[1].history)}
        context = Context(policy=policy, record=False, model=name)  # type: ignore[arg-type]
        return (await recommend_graph.ainvoke(request, context=context))["hint"]["id"]

    async def become(status: str) -> None:
        async with services.engine.begin() as connection:
            await set_status(connection, found.id, hint.id, status, "The test says so.")

    assert await chosen() is None
    await become("active")
    assert await chosen() == hint.id
    await become("retired")
    assert await chosen() is None


async def test_a_repeat_is_tried_as_the_hint_that_it_repeats(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=6, verify_near=0)
    known = await add(services, domain, "Prefer what everyone has seen.")
    same_words, same_meaning = "prefer what EVERYONE has seen.", "Prefer what everybody has seen."
    name, _ = script(
        Teacher(
            [same_words, same_meaning], lambda hint, history: 1 if hint else FAR, same="1"
        )
    )  # fmt: skip
    for key in keys[:3]:
        result = await learn(domain, key, model=name)
        assert [p["outcome"] for p in result["proposals"]] == ["duplicate"] * 2
        assert {p["hint_id"] for p in result["proposals"]} == {known}
    tried = {row.session_id for row in await trials(services, name) if row.hint_key}
    assert tried == set(keys[:3])
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await refresh_stats(connection, found.id, PromptedModel(name, ALONE_VERSION), keys)
    [hint] = await hints(services, domain)
    # Sessions on which it was proposed flatter it: the stats do not count them.
    assert (hint.id, hint.trials, hint.helped) == (known, 0, 0)


async def test_a_repeat_within_one_answer_is_kept_once_and_points_at_the_hint(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=6, verify_near=0)
    name, _ = script(
        Teacher(
            ["Prefer what everyone has seen.", "PREFER what everyone has seen."],
            lambda hint, history: 1 if hint else FAR,
        )
    )
    result = await learn(domain, keys[0], model=name)
    [hint] = await hints(services, domain)
    assert [p["outcome"] for p in result["proposals"]] == ["stored", "duplicate"]
    assert [p["hint_id"] for p in result["proposals"]] == [hint.id, hint.id]
    assert [row.hint_id for row in await proposals(services, domain)] == [hint.id, hint.id]


async def test_a_retired_hint_is_not_learnt_again(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=6, verify_near=0)
    await add(services, domain, "Prefer silent films.", status="retired")
    name, _ = script(Teacher(["Prefer silent films."], lambda hint, history: 1 if hint else FAR))
    result = await learn(domain, keys[0], model=name)
    assert [p["outcome"] for p in result["proposals"]] == ["duplicate"]
    assert [hint.status for hint in await hints(services, domain)] == ["retired"]


async def retire_by_trials(services: Services, domain: str, hint: int, **other: str) -> None:
    """Retire a hint as `hints tidy` does, by the trials of some model and prompt."""
    options = await resolve_context(Context(domain=domain))
    by = replace(options.prompted_model, **other)
    change = StatusChange(hint, "harms", "active", "retired", "It harms.")
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        assert await apply_change(connection, found.id, change, by)


@pytest.mark.parametrize("approve", [False, True])
@pytest.mark.parametrize("other", ["model", "prompt_version"])
async def test_a_hint_retired_by_another_model_or_prompt_can_be_learnt_again(
    services: Services,
    adjust: Change,
    script: Script,
    domain: str,
    keys: list[int],
    other: str,
    approve: bool,
) -> None:
    name, _ = script(Teacher(["Prefer silent films."], lambda hint, history: 1 if hint else FAR))
    adjust(verify_random=6, verify_near=0, model=name, approve_hints=approve)
    number = await add(services, domain, "Prefer silent films.")
    await retire_by_trials(services, domain, number, **{other: "another"})
    result = await learn(domain, keys[0])
    assert [(p["outcome"], p["hint_id"]) for p in result["proposals"]] == [("stored", number)]
    [hint] = await hints(services, domain)
    assert hint.status == ("pending" if approve else "active")
    provenance = (await show_hint(Context(domain=domain), number))["provenance"]
    assert (provenance["source"], provenance["session"]) == ("reflection", keys[0])


@pytest.mark.parametrize("person", [False, True])
async def test_a_hint_retired_by_the_same_model_or_by_a_person_is_not_learnt_again(
    services: Services,
    adjust: Change,
    script: Script,
    domain: str,
    keys: list[int],
    person: bool,
) -> None:
    name, _ = script(Teacher(["Prefer silent films."], lambda hint, history: 1 if hint else FAR))
    adjust(verify_random=6, verify_near=0, model=name)
    number = await add(services, domain, "Prefer silent films.")
    await retire_by_trials(services, domain, number, **({"model": "another"} if person else {}))
    if person:
        await approve_hints(Context(domain=domain), [number])
        await retire_hints(Context(domain=domain), [number])
    result = await learn(domain, keys[0])
    assert [p["outcome"] for p in result["proposals"]] == ["duplicate"]
    assert [hint.status for hint in await hints(services, domain)] == ["retired"]


async def test_the_whole_conversation_is_kept(
    services: Services, adjust: Change, script: Script, domain: str, keys: list[int]
) -> None:
    adjust(verify_random=3, verify_near=0)
    name, model = script(Teacher(["Prefer silent films."], lambda hint, history: FAR))
    await learn(domain, keys[0], model=name)
    [row] = await reflections(services, name)
    assert (row.session_id, row.rank, row.diagnosis) == (keys[0], FAR, "Because.")
    roles = Counter(message["role"] for message in row.messages)
    assert roles == {"system": 1, "human": 4, "ai": 4}
    last = model.asked[3]
    assert [message["content"] for message in row.messages[:-1]] == [m.text for m in last]
    # A second reflection on the same miss leaves the first as it is.
    again = await learn(domain, keys[0], model=name)
    assert again["error"] is None
    assert await reflections(services, name) == [row]
    assert len(await proposals(services, domain)) == 1


# Leaks

_RING = "the-lord-of-the-rings-the-fellowship-of-the-ring-2001"
LEAKS: Mapping[str, tuple[str, str]] = {
    "exact": ("spirited-away-2001", "Recommend Spirited Away to people like this."),
    "case": ("spirited-away-2001", "recommend SPIRITED AWAY to people like this."),
    "lower case": (
        "crouching-tiger-hidden-dragon-2000",
        "rank crouching tiger hidden dragon first",
    ),
    "quoted": ("amelie-2001", "Rank 'Amelie' higher for people who like romance."),
    "partial": (_RING, "Look for a fellowship of the ring in the list."),
    "distinctive words": (
        "eternal-sunshine-of-the-spotless-mind-2004",
        "Favour stories about a spotless mind.",
    ),
    "typo": (
        "eternal-sunshine-of-the-spotless-mind-2004",
        "Prefer Eternel Sunshine of the Spotles Mind over others.",
    ),
    "punctuation": ("dr-strangelove-1964", "Prefer Dr Strangelove\N{EN DASH}like satire."),
    "entity": ("spirited-away-2001", "Recommend &quot;Spirited&#32;Away&quot; to such people."),
    "entity in a word": ("spirited-away-2001", "Recommend Spir&#105;ted Away to such people."),
    "id": ("spirited-away-2001", "Rank spirited-away-2001 first for such people."),
    "number": ("spirited-away-2001", "Rank candidate 12 first for such people."),
    "another item": ("spirited-away-2001", "Recommend Blade Runner to people like this."),
    "another item as an example": ("amelie-2001", "Prefer films like Seven Samurai for them."),
}  # fmt: skip


def with_leak(kind: str) -> Session:
    """A session with a history of its own, since earlier kinds' sessions are tried again."""
    target, _ = LEAKS[kind]
    start = 3 * list(LEAKS).index(kind)
    return Session(tuple(i for i in list(FILMS)[start : start + 4] if i != target), target)


@pytest.fixture(scope="module")
async def leaky(services: Services) -> str:
    """A domain whose only hints would be leaks, and so holds none."""
    from re2llm.operations.loading.load import load_domain

    await load_domain(services, "leaky", sample_items(), [lambda _: SESSIONS])
    return "leaky"


@pytest.mark.parametrize("kind", LEAKS)
async def test_a_proposal_that_leaks_is_recorded_and_never_tried(
    services: Services, adjust: Change, script: Script, leaky: str, kind: str
) -> None:
    adjust(verify_random=4, verify_near=0)
    target, leak = LEAKS[kind]
    harmless = "Prefer the same director as in the history."
    session = with_leak(kind)
    history = list(session.history)
    own = titles(session)
    name, model = script(
        Teacher(
            [leak, harmless],
            lambda hint, history: 1 if hint and history == own else FAR,
            sessions=[*SESSIONS, *map(with_leak, LEAKS)],
        )
    )
    others = [i for i in [*FILMS] if i not in {*history, target}][:30]
    observed = {"history": history, "target": target, "candidates": [target, *others]}
    request: Any = {"domain": leaky, "observed": observed}
    result = await graph.ainvoke(request, context=Context(model=name))
    assert result["error"] is None
    refused, tried = result["proposals"]
    assert (refused["outcome"], refused["hint_id"], refused["verification"]) == ("leak", None, {})
    assert refused["reason"]
    assert tried["outcome"] == "ineffective"
    row = next(row for row in await proposals(services, leaky) if row.text == leak)
    assert (row.outcome, row.reason, row.hint_id) == ("leak", refused["reason"], None)
    used = {row.hint_key for row in await trials(services, name)}
    assert used == {hint_key(None), hint_key(harmless)}
    given = [task.get("hint") for task in map(ranking_task, model.asked) if task]
    assert leak not in given
    assert await hints(services, leaky) == []
