"""Feedback: stored once and only where it belongs, and what a miss teaches in the background."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import re2llm
from re2llm.cli import app
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import InputError, Re2llmError
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.hints.manage import list_hints
from re2llm.operations.learning.from_feedback import learn_from_feedback
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.rank_metrics import ndcg
from re2llm.runtime.background import Background
from re2llm.runtime.budget import Budget
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import granted
from re2llm.runtime.services import Services
from sqlalchemy import text
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
CANDIDATES = IDS[100:130]
PLAIN = Context(policy="none")


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
async def classroom(services: Services, domain: str, adjust: Callable[..., None]) -> str:
    """The sample films with a few sessions, in a domain of one's own, and a fresh budget."""
    adjust(verify_random=4, verify_near=2)  # each trial takes time, and none is the question here
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(12, seed=8)])
    services.feedback_budget = Budget(max_llm_calls=services.settings.feedback_calls)
    return domain


async def query(services: Services, sql: str, **values: Any) -> list[Any]:
    async with services.engine.connect() as connection:
        return list((await connection.execute(text(sql), values)).all())


async def stored(services: Services, recommendation: str) -> list[Any]:
    sql = "SELECT picked, reward, learnt_at FROM re2llm.feedback WHERE recommendation_id = :id"
    return await query(services, sql, id=recommendation)


async def asked(domain: str, **options: Any) -> Any:
    return await recommend(PLAIN, IDS[:3], candidates=CANDIDATES, domain=domain, **options)


async def test_the_reward_is_ndcg_of_the_picked_rank(services: Services, films: str) -> None:
    for rank in (1, 3, 6, 7, 10, 11):  # a hit is among the best fifth of 30 candidates
        made = await asked(films)
        picked = made.ranking[rank - 1]
        kept = await give_feedback(PLAIN, made.recommendation_id or "", picked, learn=False)
        assert (kept.rank, kept.new, kept.missed) == (rank, True, rank > 6)
        assert kept.reward == pytest.approx(ndcg(rank))
        ((item, reward, _),) = await stored(services, kept.recommendation_id)
        assert (item, reward) == (picked, pytest.approx(ndcg(rank)))


async def test_none_of_these_counts_nothing_and_teaches_nothing(
    services: Services, films: str
) -> None:
    made = await asked(films)
    kept = await give_feedback(PLAIN, made.recommendation_id or "", None)
    assert (kept.picked, kept.rank, kept.reward) == (None, None, 0.0)
    assert not kept.missed
    assert not kept.learning


async def test_the_same_feedback_is_stored_once_and_other_feedback_is_refused(
    services: Services, films: str
) -> None:
    made = await asked(films)
    number = made.recommendation_id or ""
    answers = await asyncio.gather(
        *(give_feedback(PLAIN, number, made.ranking[1]) for _ in range(5))
    )
    assert [answer.new for answer in answers].count(True) == 1
    for other in (made.ranking[0], None):
        with pytest.raises(InputError, match=made.ranking[1]) as refused:
            await give_feedback(PLAIN, number, other)
        assert refused.value.field == "picked"
    assert len(await stored(services, number)) == 1


async def test_a_title_may_be_picked(films: str) -> None:
    made = await asked(films)
    kept = await give_feedback(PLAIN, made.recommendation_id or "", made.items[2].title.lower())
    picked = made.items[2]
    assert (kept.picked, kept.title, kept.rank) == (picked.id, picked.title, 3)


async def test_what_does_not_exist_is_told(films: str, classroom: str) -> None:
    made = await asked(films)
    number = made.recommendation_id or ""
    for bad, picked, domain, field in (
        ("no-uuid", None, films, "recommendation_id"),
        ("0b5e4a8e-3f0e-4c7e-9a57-2f8f5c1b7d10", None, films, "recommendation_id"),
        (number, None, classroom, "recommendation_id"),
        (number, "qwertzuiop", films, "picked"),
        (number, None, "no-such-domain", "domain"),
    ):
        with pytest.raises(Re2llmError) as refused:
            await give_feedback(PLAIN, bad, picked, domain=domain)
        assert refused.value.field == field
        assert refused.value.remedy


async def test_another_domains_recommendation_is_not_told_from_none(
    films: str, classroom: str
) -> None:
    made = await asked(films)
    unknown = "0b5e4a8e-3f0e-4c7e-9a57-2f8f5c1b7d10"
    messages: list[str] = []
    for number in (made.recommendation_id or "", unknown):
        with pytest.raises(InputError) as refused:
            await give_feedback(PLAIN, number, None, domain=classroom)
        messages.append(str(refused.value).replace(number, "ID"))
    assert messages[0] == messages[1]


@pytest.mark.long
async def test_a_miss_is_learnt_from_once_in_the_background(
    services: Services, classroom: str
) -> None:
    made = await asked(classroom)
    number = made.recommendation_id or ""
    kept = await give_feedback(PLAIN, number, made.ranking[-1], domain=classroom)
    assert kept.missed
    assert kept.learning
    again = await give_feedback(PLAIN, number, made.ranking[-1], domain=classroom)
    assert not again.new
    await services.background.idle()
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is not None
    sql = (
        "SELECT s.history, s.target, r.id FROM re2llm.session AS s "
        "JOIN re2llm.domain AS d ON d.id = s.domain_id AND d.name = :domain "
        "LEFT JOIN re2llm.reflection AS r ON r.session_id = s.id WHERE s.target = :target "
        "AND s.history = :history"
    )
    values = {"domain": classroom, "target": made.ranking[-1], "history": IDS[:3]}
    sessions = await query(services, sql, **values)
    assert len(sessions) == 1
    assert sessions[0].id is not None
    assert services.feedback_budget.llm_calls > 1
    spent = services.feedback_budget.llm_calls
    await learn_from_feedback(services)
    assert services.feedback_budget.llm_calls == spent
    proposed = await query(
        services,
        "SELECT outcome FROM re2llm.hint_proposal WHERE reflection_id = :id",
        id=sessions[0].id,
    )
    assert proposed


async def test_what_the_budget_leaves_waits_for_the_next_time(
    services: Services, classroom: str
) -> None:
    services.feedback_budget = Budget(max_llm_calls=2)
    made = await asked(classroom)
    number = made.recommendation_id or ""
    await give_feedback(PLAIN, number, made.ranking[-1], domain=classroom)
    await services.background.idle()
    assert services.feedback_budget.llm_calls == 2
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is None
    services.feedback_budget = Budget(max_llm_calls=500)
    await learn_from_feedback(services)
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is not None


@pytest.mark.long
async def test_a_key_that_may_not_learn_spends_nothing_when_others_do(
    services: Services, classroom: str
) -> None:
    numbers: list[str] = []
    for may in ((), ("learn",)):
        async with services.engine.begin() as connection:
            key = await create_key(connection, "shop", [classroom], Grants(may=may))
        caller = Caller("shop", key.split("_")[1], (classroom,), Grants(may=may))
        made = await asked(classroom)
        number = made.recommendation_id or ""
        context = granted(Context(domain=classroom), caller.as_user())
        kept = await give_feedback(context, number, made.ranking[-1])
        assert (kept.missed, kept.learning) == (True, bool(may))
        numbers.append(number)
    await services.background.idle()
    learnt = [(await stored(services, number))[0][2] is not None for number in numbers]
    assert learnt == [False, True]
    await learn_from_feedback(services, everyones=True)
    assert (await stored(services, numbers[0]))[0][2] is not None


async def test_closing_ends_the_learning_and_loses_nothing(
    services: Services, classroom: str, url: str
) -> None:
    async with re2llm.Re2llm(url.replace("+psycopg", ""), domain=classroom, policy="none") as host:
        made = await host.arecommend(IDS[:3], candidates=CANDIDATES)
        number = made.recommendation_id or ""
        kept = await host.afeedback(number, made.ranking[-1])
        assert kept.learning
        await asyncio.sleep(0.1)
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is None
    await learn_from_feedback(services)
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is not None


async def test_learning_can_be_turned_off(
    services: Services, classroom: str, adjust: Callable[..., None]
) -> None:
    adjust(feedback_calls=0)
    made = await asked(classroom)
    kept = await give_feedback(
        PLAIN, made.recommendation_id or "", made.ranking[-1], domain=classroom
    )
    assert kept.missed
    assert not kept.learning


async def test_an_item_that_was_no_candidate_is_a_miss(services: Services, classroom: str) -> None:
    made = await asked(classroom)
    number = made.recommendation_id or ""
    kept = await give_feedback(PLAIN, number, IDS[200], domain=classroom, learn=False)
    assert (kept.rank, kept.reward, kept.missed) == (None, 0.0, True)
    await learn_from_feedback(services)
    ((_, _, learnt_at),) = await stored(services, number)
    assert learnt_at is not None


async def test_jobs_run_one_at_a_time_and_end_with_their_services(
    caplog: pytest.LogCaptureFixture,
) -> None:
    background, running, most, done = Background(), 0, 0, []

    async def work(name: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        done.append(name)
        if name == "broken":
            raise ValueError(name)

    async def forever() -> None:
        await asyncio.Event().wait()

    for name in ("broken", "a", "a", "b"):
        background.send(name, lambda name=name: work(name))
    with caplog.at_level(logging.CRITICAL, logger="re2llm.runtime.background"):
        await background.idle()
    assert (most, done) == (1, ["broken", "a", "b"])
    background.send("forever", forever)
    background.send("never", lambda: work("never"))
    await asyncio.sleep(0)
    await background.close()
    background.send("late", lambda: work("late"))
    await background.idle()
    assert done == ["broken", "a", "b"]


async def test_titles_are_found_with_errors_and_doubts_are_told(films: str) -> None:
    found = await find_titles(PLAIN, ["blade runer", "lord of the rings", "qwertz uiop", " "])
    runner, rings, nothing, empty = found.titles
    assert (runner.status, runner.items[0].title) == ("found", "Blade Runner")
    assert rings.status == "ambiguous"
    assert len(rings.items) == 3
    assert nothing.status == "unknown"
    assert (empty.status, empty.items) == ("unknown", [])
    with pytest.raises(InputError, match="could be: The Lord"):
        await recommend(PLAIN, ["lord of the rings"])


async def test_reasons_are_facts_of_the_catalogue(films: str) -> None:
    made = await recommend(PLAIN, ["Alien"], candidates=["aliens", "Amélie"])
    because = {item.title: item.because for item in made.items}
    assert any(reason.startswith("like Alien: ") for reason in because["Aliens"])
    assert because["Amélie"] == []


async def test_hints_are_listed(films: str) -> None:
    assert (await list_hints(PLAIN, domain=films)).domain == films


@pytest.mark.long
def test_the_command(films: str, classroom: str) -> None:
    made = json.loads(
        command("recommend", "--domain", classroom, "Alien", "--policy", "none", "--json").stdout
    )
    number, items = made["recommendation_id"], made["items"]
    both = command("feedback", number, items[0]["id"], "--none", "--domain", classroom)
    assert both.exit_code == 1
    kept = command("feedback", number, items[1]["title"], "--domain", classroom, "--json")
    assert kept.exit_code == 0, kept.output
    document = json.loads(kept.stdout)
    assert (document["rank"], document["new"]) == (2, True)
    assert document["title"] == items[1]["title"]
    again = command("feedback", number, items[1]["id"], "--domain", classroom)
    assert "Stored already" in again.stdout
    # The item, not the typing.
    assert f"{items[1]['title']} [{items[1]['id']}], at rank 2" in again.stdout
    other = command("feedback", number, "--none", "--domain", classroom)
    assert other.exit_code == 1
    assert "stored already" in other.stderr


@pytest.mark.long
def test_the_command_learns_from_a_miss(classroom: str) -> None:
    arguments = ["recommend", "--domain", classroom, "Alien", "--policy", "none", "--json"]
    made = json.loads(command(*arguments).stdout)
    kept = command(
        "feedback", made["recommendation_id"], made["ranking"][-1], "--domain", classroom, "--learn"
    )
    assert kept.exit_code == 0, kept.output
    assert "model calls" in kept.stdout
