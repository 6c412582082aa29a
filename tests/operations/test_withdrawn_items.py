"""Withdrawn items: known, but no candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prompts import document_of
from re2llm.data.interactions import TableOptions
from re2llm.errors import BusyError, InputError, NotThereError
from re2llm.graph.learn import graph as learn_graph
from re2llm.graph.recommend import graph as recommend_graph
from re2llm.knowledge.domain_locks import hold_domain
from re2llm.operations.catalogue.items import browse_items, items_of_ids, search_items, show_item
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.catalogue.withdraw import withdraw_items
from re2llm.operations.evaluation.evaluate import Evaluation, evaluate
from re2llm.operations.evaluation.experiment import Experiment
from re2llm.operations.loading.load_files import load_files
from re2llm.operations.recommending.recommend import recommend
from re2llm.ranking.hints.trials import resolve_session
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from tried import keys_of, stored

TEAS = [Item(f"t{n}", f"Tea {name}", {"kind": "tea"}) for n, name in enumerate("ABCDEFGH")]
SESSIONS = [
    Session(("t0", "t1"), "t2"),
    Session(("t0",), "t2"),
    Session(("t1", "t3"), "t2", ("t2", "t4", "t5")),
]
Load = Callable[..., Any]


@pytest.fixture
async def shop(load: Load, domain: str) -> Context:
    await load(domain, TEAS, SESSIONS)
    return Context(domain=domain, policy="none")


async def test_a_withdrawn_item_is_no_candidate(shop: Context) -> None:
    assert "t2" in (await recommend(shop, ["t0"])).ranking  # which also fills the caches
    assert (await withdraw_items(shop, ["Tea C", "t2"])).withdrawn == 1
    made = await recommend(shop, ["t0"])
    assert sorted(made.ranking) == ["t1", "t3", "t4", "t5", "t6", "t7"]
    assert "withdrawn" not in made.flags
    listed = await recommend(shop, ["t0"], candidates=["t2", "t3", "t4"])
    assert (sorted(listed.ranking), "withdrawn" in listed.flags) == (["t3", "t4"], True)
    plain = await recommend(shop, ["t0"], candidates=["t3", "t4"])
    assert "withdrawn" not in plain.flags
    with pytest.raises(InputError, match="withdrawn") as caught:
        await recommend(shop, ["t0"], candidates=["t2", "t3"])
    assert caught.value.field == "candidates"


async def test_nor_is_it_in_a_catalogue_that_is_not_kept_in_memory(
    shop: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any) -> None:
        return None

    monkeypatch.setattr("re2llm.ranking.retrieval.vectors_of", none)
    await withdraw_items(shop, ["t2"])
    assert "t2" not in (await recommend(shop, ["t0"])).ranking


async def test_what_names_it_goes_on(shop: Context, domain: str) -> None:
    await withdraw_items(shop, ["t2"])
    made = await recommend(shop, ["t2", "Tea A"])
    assert made.history == ["t2", "t0"]
    assert "t2" not in made.ranking
    held_out = [Session(("t1",), "t2", ("t2", "t3", "t4")), Session(("t2",), "t0")]
    outcome = await evaluate(shop, held_out, policies=["none"])
    assert [one.target for one in outcome.sessions] == ["t2", "t0"]
    assert outcome.sessions[0].candidates == ("t2", "t3", "t4")


HELD_OUT = [
    Session(("t1",), "t2", ("t2", "t3", "t4")),
    Session(("t0",), "t2", ("t2", "t5")),
    Session(("t6",), "t3", ("t3", "t5")),
    Session(("t0", "t7"), "t6"),
]
"""Of some, the target is withdrawn, or all candidates but one, or all of them."""


@pytest.mark.parametrize("permutations", [1, 2])
async def test_what_is_measured_ranks_what_its_sessions_list(
    shop: Context, services: Services, domain: str, permutations: int
) -> None:
    await stored(services, domain, "Prefer the newest tea.", "Prefer the first tea.")
    systems = {
        "policies": ["none", "random", "similar", "static"],
        "baselines": ["random", "popularity", "vsknn", "sum", "first-stage"],
    }

    async def measured() -> Evaluation:
        return await evaluate(
            shop, HELD_OUT, **systems, oracle=True, permutations=permutations, negatives=3
        )

    before = await measured()
    await withdraw_items(shop, ["t2", "t3", "t5"])
    after = await measured()
    assert after.document == before.document
    assert len(after.rows) > len(systems["policies"]) + len(systems["baselines"])
    listed = [set(session.candidates or ()) for session in after.sessions]
    for old, new in zip(before.rows, after.rows, strict=True):
        assert new.rankings == old.rankings
        assert not new.rankings or [set(ranking) for ranking in new.rankings] == listed
        assert min(new.ranks) > 0


async def test_what_is_asked_ahead_ranks_what_its_sessions_list(
    shop: Context, script: Callable[..., Any]
) -> None:
    name, model = script(lambda _: '{"ranking": [2, 1]}')
    await withdraw_items(shop, ["t2"])
    experiment = Experiment(replace(shop, model=name, prompt="json"), HELD_OUT[:2])
    await experiment.ask_now(["none"])
    listed = [len(document_of(messages)["candidates"]) for messages in model.asked]
    assert listed == [3, 2]


async def test_trials_rank_what_their_sessions_list(
    shop: Context, services: Services, domain: str
) -> None:
    await withdraw_items(shop, ["t2", "t5"])
    session = (await keys_of(services, domain))[2]
    state = await resolve_session(domain, session, await resolve_context(shop))
    assert {item["id"] for item in state["candidate_items"]} == {"t2", "t4", "t5"}
    request: Any = {"domain": domain, "session": session}
    async for update in learn_graph.astream(request, context=shop, stream_mode="updates"):
        if ranked := update.get("check"):
            assert set(ranked["ranking"]) == {"t2", "t4", "t5"}
            return
    pytest.fail("Nothing was ranked.")


@pytest.mark.parametrize("sent", [True, "PastSession", {}, {"past_session": True}])
async def test_no_request_gets_a_withdrawn_item_by_an_option(shop: Context, sent: Any) -> None:
    await withdraw_items(shop, ["t2"])
    request: Any = {"history": ["t0"], "candidates": ["t2", "t3", "t4"], "target": "t2"}
    options: Any = {"domain": shop.domain, "policy": "none", "past_session": sent}
    answer = await recommend_graph.ainvoke(request, context=options)
    assert (sorted(answer["ranking"]), answer["flags"]) == (["t3", "t4"], ["withdrawn"])


async def test_it_is_shown_as_withdrawn_and_offered_nowhere(shop: Context) -> None:
    before = await show_item(shop, "t0", count=10)
    assert "t2" in {one.id for one in before.goes_with}
    assert not before.withdrawn
    await withdraw_items(shop, ["t2"])
    shown = await show_item(shop, "Tea C", count=10)
    assert (shown.withdrawn, shown.popularity) == (True, 3)
    other = await show_item(shop, "t0", count=10)
    assert "t2" not in {one.id for one in [*other.goes_with, *other.neighbours]}
    assert len(other.neighbours) == 6
    found = await search_items(shop, "Tea C", count=3)
    assert "t2" not in {item.id for item in found.items}
    assert len(found.items) == 3
    rows, total = await browse_items(shop)
    assert ({row.item.id for row in rows if row.withdrawn}, total) == ({"t2"}, 8)


async def test_whoever_looks_after_the_catalogue_finds_it_and_others_see_a_mark(
    shop: Context,
) -> None:
    await withdraw_items(shop, ["t2"])
    found = await search_items(shop, "Tea C", count=3, every=True)
    assert found.items[0].id == "t2"
    assert [item.withdrawn for item in found.items] == [True, False, False]
    assert not any(item.withdrawn for item in (await search_items(shop, "Tea C")).items)
    one, other, typo = (await find_titles(shop, ["Tea C", "Tea D", "Taa C"])).titles
    assert ([item.withdrawn for item in one.items], one.status) == ([True], "found")
    assert [item.withdrawn for item in other.items] == [False]
    assert all(item.withdrawn is (item.id == "t2") for item in typo.items)
    assert [item.withdrawn for item in await items_of_ids(shop, ["t2", "t3"])] == [True, False]
    assert all(item.withdrawn for item in (await withdraw_items(shop, ["t2", "t4"])).items)
    rows, _ = await browse_items(shop)
    assert {row.item.id for row in rows if row.item.withdrawn} == {"t2", "t4"}


async def test_many_withdrawn_items_hide_no_other_of_their_title(load: Load, domain: str) -> None:
    await load(domain, [Item(f"{n:03}", "Green Tea") for n in range(150)])
    shop = Context(domain=domain, policy="none")
    await withdraw_items(shop, [f"{n:03}" for n in range(140)])
    found = await search_items(shop, "Green Tea", count=3)
    assert ([item.id for item in found.items], found.by_meaning) == (["140", "141", "142"], False)


async def test_what_leaves_too_little_to_recommend_is_named(
    shop: Context, load: Load, domain: str
) -> None:
    longest = [f"t{n}" for n in range(7)]
    with pytest.raises(InputError, match="Send a shorter one") as caught:
        await recommend(shop, longest)
    assert caught.value.field == "history"
    await withdraw_items(shop, longest[1:])
    with pytest.raises(InputError, match="withdrawn") as caught:
        await recommend(shop, ["t0"])
    assert caught.value.field == "domain"
    small = f"{domain}-small"
    await load(small, TEAS[:2])
    with pytest.raises(InputError, match="Load more items") as caught:
        await recommend(Context(domain=small, policy="none"), ["t0"])
    assert caught.value.field == "domain"


async def test_all_are_withdrawn_or_none(shop: Context) -> None:
    with pytest.raises(InputError, match="Teapot"):
        await withdraw_items(shop, ["t2", "Teapot of another shop"])
    with pytest.raises(InputError):
        await withdraw_items(shop, [])
    assert not (await show_item(shop, "t2")).withdrawn
    done = await withdraw_items(shop, ["t2", "t3"])
    assert ([item.id for item in done.items], done.withdrawn) == (["t2", "t3"], 2)
    assert (await withdraw_items(shop, ["t3", "t4"])).withdrawn == 1


FILMS = [
    Item("b", "2001: A Space Odyssey"),
    Item("1201", "The Matrix"),
    Item("matrix-2", "The Matrix Reloaded"),
    Item("1972", "Heat"),
    Item("1995", "Heat"),
    Item("5", "1201 Nights"),
    Item("x", "5"),
    Item("alien", "Alien"),
    Item("Alien", "ALIENS"),
    Item("$", "£"),
    Item("dollar", "$"),
    Item("yen", "¥"),
]


@pytest.fixture
async def films(load: Load, domain: str) -> Context:
    await load(domain, FILMS)
    return Context(domain=domain, policy="none")


@pytest.mark.parametrize(
    "near",
    [
        *("2001", "id:2001", "[2001]", "b2", "What is in space", " ", "€"),
        *("Teh Matrix", "matrix", "the matrix", "Matrix, The", "Matrix [5]"),
        *("A Space Odyssey", "2001: A Space Odyssey (1968)"),
    ],
)
async def test_only_an_id_or_the_very_title_withdraws_an_item(films: Context, near: str) -> None:
    with pytest.raises(NotThereError, match="has no item") as caught:
        await withdraw_items(films, ["1201", near])
    assert caught.value.field == "items"
    if "atrix" in near and "[" not in near:
        assert "The Matrix [1201]" in str(caught.value)
    rows, _ = await browse_items(films)
    assert not [row.item.id for row in rows if row.withdrawn]


@pytest.mark.parametrize(
    ("word", "id_"),
    [
        ("1201", "1201"),
        (" The Matrix ", "1201"),
        ("2001: A Space Odyssey", "b"),
        ("The Matrix [1201]", "1201"),
        ("Heat  [1995]", "1995"),
        ("id:5", "5"),
        ("[5]", "5"),
        ("id:$", "$"),
        ("¥", "yen"),
        ("ALIENS", "Alien"),
        ("id:Alien", "Alien"),
    ],
)
async def test_an_id_or_a_title_withdraws_its_item(films: Context, word: str, id_: str) -> None:
    assert [item.id for item in (await withdraw_items(films, [word])).items] == [id_]


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("Heat", ["1972", "1995"]),
        ("5", ["5", "x"]),
        ("$", ["$", "dollar"]),
        ("Alien", ["Alien", "alien"]),
    ],
)
async def test_what_names_several_items_withdraws_none(
    films: Context, word: str, ids: list[str]
) -> None:
    with pytest.raises(InputError, match="could be") as caught:
        await withdraw_items(films, [word, "1201"])
    assert all(f"[{id_}]" in str(caught.value) for id_ in ids)
    rows, _ = await browse_items(films)
    assert not [row.item.id for row in rows if row.withdrawn]


async def test_loading_an_item_again_brings_it_back_and_a_log_does_not(
    shop: Context, load: Load, domain: str, tmp_path: Path
) -> None:
    await withdraw_items(shop, ["t2", "t3"])
    log = tmp_path / "log.csv"
    log.write_text("user,item,time\n" + "".join(f"u,t{n},{n}\n" for n in range(1, 5)))
    await load_files(Context(), "table", log, domain=domain, table=TableOptions())
    assert (await show_item(shop, "t2")).withdrawn
    loaded = await load(domain, TEAS[:3])
    assert (loaded.items, loaded.items_changed) == (8, 1)
    assert not (await show_item(shop, "t2")).withdrawn
    assert (await show_item(shop, "t3")).withdrawn
    assert "t2" in (await recommend(shop, ["t0"])).ranking


async def test_while_a_catalogue_is_loaded_it_waits_or_says_so(
    shop: Context, services: Services, domain: str
) -> None:
    async with services.engine.begin() as loading:
        await hold_domain(loading, domain)
        with pytest.raises(BusyError, match="being loaded"):
            await withdraw_items(shop, ["t2"], wait=False)
        many = range(2 * services.settings.pool_size)
        waiting = [asyncio.ensure_future(withdraw_items(shop, ["t2"])) for _ in many]
        async with asyncio.timeout(30):
            assert "t2" in (await recommend(shop, ["t0"])).ranking
        await asyncio.sleep(0.1)
        assert not any(one.done() for one in waiting)
    async with asyncio.timeout(30):
        done = await asyncio.gather(*waiting)
    assert sum(one.withdrawn for one in done) == 1
