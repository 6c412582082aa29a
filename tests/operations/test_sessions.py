"""Sources of training sessions: capped as evidence, listed, and dropped with all that they did."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keyed_runs import run
from re2llm.cli import app
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.graph.learn import graph as learn_graph
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import check_key, create_key
from re2llm.knowledge.catalogue import refresh_popularity
from re2llm.knowledge.domains import find_domain, mark_changed
from re2llm.knowledge.first_stages import Forgotten, describe_first_stage, store_first_stage
from re2llm.knowledge.fusions import store_fusions
from re2llm.knowledge.hint_store.hints import NO_HINT, add_hint, hint_key, list_hints, set_status
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.schema.fusions import FirstStageRow, FusionRow
from re2llm.knowledge.schema.tables import HintRow, TrialRow
from re2llm.knowledge.sessions.evidence import EvidenceIndex
from re2llm.knowledge.sessions.sources import beyond_share
from re2llm.knowledge.sessions.training_sessions import (
    fetch_session,
    first_keys,
    observe_session,
    session_keys,
    store_sessions,
)
from re2llm.operations.first_stage.fit import fit_first_stage
from re2llm.operations.first_stage.measure import measure
from re2llm.operations.hints import manage as hint_operations
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.sessions.sources import drop_sessions, list_session_sources
from re2llm.records import Session
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.domain_cache import most_chosen_of
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import func, select, text, update
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
SESSIONS = simulate_sessions(60, seed=1)
CHOSEN = Counter(i for s in SESSIONS for i in {*s.history, s.target or ""})
FAMOUS = [item for item, _ in CHOSEN.most_common(25)]
LIFTED = min(item for item, count in CHOSEN.items() if count == 1)
INJECTED = 40


@pytest.fixture
async def shop(services: Services, domain: str) -> Caller:
    """A client with a key, in a domain of sample films."""
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [domain], Grants(may=("learn",)))
        found = await check_key(connection, key)
    assert found is not None
    return Caller(found.owner, found.id, tuple(found.domains), found.grants)


async def ranks(domain: str, hint: int | None) -> list[int]:
    """Where the film stands for six people."""
    found: list[int] = []
    for session in SESSIONS[:60:10]:
        others = [i for i in IDS if i not in session.history and i != LIFTED]
        answer = await recommend(
            Context(domain=domain, hint_id=hint, model="offline", record=False),
            list(session.history),
            candidates=[*others[::7][:49], LIFTED],
        )
        found.append(answer.ranking.index(LIFTED) + 1)
    return found


async def popularity(services: Services, domain: str) -> dict[str, int]:
    async with services.engine.connect() as connection:
        query = text(
            "SELECT i.id, popularity FROM re2llm.item AS i "
            "JOIN re2llm.domain AS d ON d.id = domain_id WHERE d.name = :name"
        )
        return {row[0]: row[1] for row in await connection.execute(query, {"name": domain})}


async def inject(domain: str, caller: Caller, target: str = LIFTED) -> None:
    """Run `learn` on sessions in which people chose a film after what everybody chose."""
    for number in range(INJECTED):
        history = [FAMOUS[(number * 3 + step) % len(FAMOUS)] for step in range(5)]
        history.append(IDS[number])  # no two are the same
        observed = {
            "history": [item for item in dict.fromkeys(history) if item != target],
            "target": target,
            "candidates": [target, *(i for i in IDS[-2:] if i != target)],
        }
        result = await run(learn_graph, caller, {"observed": observed, "domain": domain})
        assert not result.get("error")


@pytest.mark.long
async def test_injected_sessions_lift_no_film_and_can_be_dropped(
    services: Services, domain: str, shop: Caller, adjust: Callable[..., None]
) -> None:
    added = await hint_operations.add_hint(
        Context(domain=domain, model="offline"), "Prefer what people with a similar session chose."
    )
    before, counted = await ranks(domain, added.hint_id), await popularity(services, domain)
    await inject(domain, shop)
    capped = await ranks(domain, added.hint_id)
    adjust(source_share=1)
    uncapped = await ranks(domain, added.hint_id)
    assert np.median(uncapped) < np.median(before) - 25
    # A key keeps its share of each number, which may be worth a place or two.
    assert np.abs(np.subtract(capped, before)).max() <= 2

    sources = await list_session_sources(Context(), domain=domain)
    listed = {source.source: source for source in sources}
    assert {name: source.sessions for name, source in listed.items()} == {
        "file": len(SESSIONS),
        shop.key_id: INJECTED,
    }
    assert listed[shop.key_id].owner == "shop"
    assert listed[shop.key_id].first is not None
    dropped = await drop_sessions(Context(), shop.key_id, domain=domain)
    assert dropped.sessions == INJECTED
    assert await ranks(domain, added.hint_id) == before
    assert await popularity(services, domain) == counted
    adjust(source_share=0.05)
    assert await ranks(domain, added.hint_id) == before


@pytest.mark.parametrize("sources", [1, 2, 5])
def test_no_key_has_more_than_its_share_of_the_sessions_or_of_a_number(sources: int) -> None:
    stored = list(enumerate(SESSIONS))
    more = [Session((*FAMOUS[n % 5 : n % 5 + 4], IDS[n]), LIFTED) for n in range(INJECTED)]
    injected = list(enumerate([s for s in more for _ in range(sources)], start=len(stored)))
    keyed = {key: f"key-{key % sources}" for key, _ in injected}
    share = 0.05
    left_out = beyond_share(keyed, len(stored) + len(injected), share)
    counts = Counter(source for key, source in keyed.items() if key not in left_out)
    total = len(stored) + sum(counts.values())
    assert counts
    assert all(count <= share * total < count + 1 + share * sources for count in counts.values())

    alone = EvidenceIndex(stored).of(FAMOUS[:4], [LIFTED])[0]
    capped = EvidenceIndex([*stored, *injected], keyed=keyed, share=share).of(FAMOUS[:4], [LIFTED])
    for name in ("chosen_by", "similar_sessions", "with_recent", "near_recent"):
        assert capped[0][name] <= alone[name] / (1 - share * sources) + 0.01, name


async def test_one_key_fills_no_pool_of_candidates(
    services: Services, domain: str, shop: Caller
) -> None:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
    before = await most_chosen_of(services, found)
    never = [item for item in IDS if item not in CHOSEN]
    assert len(never) > 20
    junk = [Session(tuple(never[n:] + never[:n]), LIFTED) for n in range(INJECTED)]
    async with services.engine.begin() as connection:
        await store_sessions(connection, found, junk, source=shop.key_id)
        await refresh_popularity(connection, found)
        await mark_changed(connection, found)
        found = await find_domain(connection, domain)
    assert (await popularity(services, domain))[never[0]] > CHOSEN[FAMOUS[0]]
    after = await most_chosen_of(services, found)
    assert set(after) == set(before)
    assert after[:25] == before[:25]


def test_the_session_itself_is_left_out_of_capped_evidence_too() -> None:
    stored = list(enumerate(SESSIONS))
    own = Session(tuple(FAMOUS[:4]), LIFTED)
    for count in (1, 5, 30):
        keyed = dict.fromkeys(range(len(stored), len(stored) + count), "key")
        index = EvidenceIndex([*stored, *((key, own) for key in keyed)], keyed=keyed, share=0.05)
        for key in keyed:
            found = index.of(own.history, [LIFTED, *IDS[:20]], leave_out=key)
            assert found == EvidenceIndex(stored).of(own.history, [LIFTED, *IDS[:20]])


def test_a_share_of_1_trusts_every_key() -> None:
    stored = list(enumerate(SESSIONS))
    keyed = dict.fromkeys(range(30, 60), "key")
    trusting = EvidenceIndex(stored, keyed=keyed, share=1)
    assert trusting.of(FAMOUS[:4], IDS[:40]) == EvidenceIndex(stored).of(FAMOUS[:4], IDS[:40])


async def test_a_file_takes_over_what_a_key_sent_first(
    services: Services, domain: str, shop: Caller
) -> None:
    session = Session((IDS[0], IDS[1]), IDS[2])
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await observe_session(connection, found, session, source=shop.key_id)
        await observe_session(connection, found, SESSIONS[0], source=shop.key_id)
    sources = await list_session_sources(Context(), domain=domain)
    assert {s.source: s.sessions for s in sources} == {"file": len(SESSIONS), shop.key_id: 1}
    await load_domain(services, domain, sample_items(), [lambda _: [session]])
    sources = await list_session_sources(Context(), domain=domain)
    assert {s.source: s.sessions for s in sources} == {"file": len(SESSIONS) + 1}


async def test_a_hint_that_was_verified_on_dropped_sessions_waits_for_approval(
    services: Services, domain: str, shop: Caller
) -> None:
    options = await resolve_context(Context(domain=domain, model="offline"))
    texts = (
        "Prefer films that last.",
        "Prefer films from elsewhere.",
        "Prefer comedies.",
    )
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        keys = (await session_keys(connection, found.id))[:6]
        sent = [
            await observe_session(
                connection, found, Session((IDS[n], IDS[n + 1]), IDS[n + 2]), source=shop.key_id
            )
            for n in range(6)
        ]
        embedding = np.eye(384, dtype=np.float32)
        added = [
            await add_hint(
                connection,
                found.id,
                hint,
                embedding[place],
                provenance={"source": "person" if place == 2 else "reflection"},
            )
            for place, hint in enumerate(texts)
        ]
        for key in (*keys, *sent):
            helped = (True, key in sent, key in sent)  # the first helps everywhere
            for hint, rank in (
                (None, 5),
                *zip(texts, [1 if h else 6 for h in helped], strict=True),
            ):
                trial = Trial(key, hint_key(hint), options.model, options.prompt_version, rank, "")
                await store_trial(connection, found.id, trial)
    dropped = await drop_sessions(Context(model="offline"), shop.key_id, domain=domain)
    kept, doubted, own = (hint for hint, _ in added)
    assert dropped.hints_pending == [doubted]
    async with services.engine.connect() as connection:
        hints = {hint.id: hint for hint in await list_hints(connection, found.id)}
    assert {hint: hints[hint].status for hint in (kept, doubted, own)} == {
        kept: "active",
        doubted: "pending",
        own: "active",
    }
    assert hints[kept].trials == len(keys)
    assert hints[doubted].mean_gain < 0
    shown = await hint_operations.show_hint(Context(), doubted, domain=domain)
    assert "were deleted" in shown["provenance"]["pending_because"]


async def test_a_hint_is_doubted_by_the_trials_of_what_was_merged_into_it(
    services: Services, domain: str, shop: Caller
) -> None:
    """Only the merged one was tried; it helps on the sessions that are dropped alone."""
    options = await resolve_context(Context(domain=domain, model="offline"))
    texts = ("Prefer films that last.", "Prefer films that endure.")
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        keys = (await session_keys(connection, found.id))[:6]
        sent = [
            await observe_session(
                connection, found, Session((IDS[n], IDS[n + 1]), IDS[n + 2]), source=shop.key_id
            )
            for n in range(6)
        ]
        embedding = np.eye(384, dtype=np.float32)
        stays, merged = [
            (await add_hint(connection, found.id, hint, embedding[place], provenance={}))[0]
            for place, hint in enumerate(texts)
        ]
        await set_status(connection, found.id, merged, "retired", "It says the same.")
        await connection.execute(
            update(HintRow)
            .where(HintRow.domain_id == found.id, HintRow.id == merged)
            .values(merged_into=stays)
        )
        for key in (*keys, *sent):
            for hint, rank in ((None, 5), (texts[1], 1 if key in sent else 6)):
                trial = Trial(key, hint_key(hint), options.model, options.prompt_version, rank, "")
                await store_trial(connection, found.id, trial)
    dropped = await drop_sessions(Context(model="offline"), shop.key_id, domain=domain)
    assert dropped.hints_pending == [stays]


async def test_dropping_what_is_not_there_is_an_error(domain: str, shop: Caller) -> None:
    with pytest.raises(InputError) as raised:
        await drop_sessions(Context(), shop.key_id, domain=domain)
    assert raised.value.field == "source"


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


async def test_the_commands(services: Services, domain: str, shop: Caller) -> None:
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await observe_session(
            connection, found, Session((IDS[0], IDS[1]), IDS[2]), source=shop.key_id
        )
    listed = await asyncio.to_thread(command, "sessions", "list", "--domain", domain)
    assert shop.key_id in listed.output
    words = ("sessions", "drop", "--domain", domain, "--source", shop.key_id)
    dropped = await asyncio.to_thread(command, *words, "--json")
    assert json.loads(dropped.output)["sessions"] == 1
    again = await asyncio.to_thread(command, *words)
    assert again.exit_code == 1


async def test_the_first_stage_is_fitted_within_each_keys_share(
    services: Services, domain: str, shop: Caller
) -> None:
    options = await resolve_context(Context(domain=domain))
    fitted = await fit_first_stage(options)
    assert fitted is not None
    junk = [Session(tuple(IDS[n : n + 4]), LIFTED, tuple(IDS[-20:])) for n in range(200)]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await store_sessions(connection, found, junk, source=shop.key_id)
        await mark_changed(connection, found)
    capped = await fit_first_stage(options)
    assert capped is not None
    assert capped["of"] == len(SESSIONS) + len(junk)
    assert capped["sessions"] <= fitted["sessions"] + len(SESSIONS) * options.settings.source_share

    dropped = await drop_sessions(Context(domain=domain), shop.key_id)
    assert dropped.first_stage == "fitted"  # it had learned from them
    async with services.engine.connect() as connection:
        known = await describe_first_stage(connection, found.id)
    assert known is not None
    assert known.metrics == fitted


async def observed(services: Services, domain: str, source: str) -> None:
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await observe_session(connection, found, Session((IDS[0], IDS[1]), IDS[2]), source=source)


async def measured(services: Services, domain: str, weights: Sequence[str] = ("none",)) -> None:
    """Store what a model said about a first stage's best candidates, and its weight."""
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        [key, *_] = await session_keys(connection, found.id)
        trial = Trial(key, NO_HINT, "offline", "rank-4/best-20", 3, "")
        await store_trial(connection, found.id, trial)
        useless = {"weight": 0.0, "sessions": 60}
        stored = dict.fromkeys(weights, useless)
        await store_fusions(
            connection, found.id, PromptedModel("offline", "rank-4/best-20"), stored
        )


async def kept(services: Services, domain: str) -> tuple[int | None, int, int]:
    """Return the number of the first stage, how many trials there are, and how many weights."""
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        known = await describe_first_stage(connection, found.id)
        counts = [
            await connection.scalar(select(func.count()).where(table.domain_id == found.id))
            for table in (TrialRow, FusionRow)
        ]
    return known and known.id, counts[0] or 0, counts[1] or 0


async def test_what_was_made_before_the_dropped_sessions_came_stays(
    services: Services, domain: str, shop: Caller
) -> None:
    await fit_first_stage(await resolve_context(Context(domain=domain)))
    await measured(services, domain)
    before = await kept(services, domain)
    assert before[1:] == (1, 1)
    await observed(services, domain, shop.key_id)
    dropped = await drop_sessions(Context(domain=domain), shop.key_id)
    assert (dropped.sessions, dropped.first_stage) == (1, "kept")
    assert (dropped.trials_forgotten, dropped.weights_forgotten) == (0, [])
    assert await kept(services, domain) == before


async def test_a_weight_that_was_measured_on_dropped_sessions_is_forgotten(
    services: Services, domain: str, shop: Caller
) -> None:
    await fit_first_stage(await resolve_context(Context(domain=domain)))
    await observed(services, domain, shop.key_id)
    await measured(services, domain)
    number, trials, _ = await kept(services, domain)
    dropped = await drop_sessions(Context(domain=domain), shop.key_id)
    assert (dropped.first_stage, dropped.weights_forgotten) == ("kept", ["none"])
    assert await kept(services, domain) == (number, trials, 0)


async def test_a_first_stage_that_learned_from_dropped_sessions_is_fitted_anew(
    services: Services, domain: str, shop: Caller
) -> None:
    await observed(services, domain, shop.key_id)
    async with services.engine.begin() as connection:
        await mark_changed(connection, await find_domain(connection, domain))
    await fit_first_stage(await resolve_context(Context(domain=domain)))
    await measured(services, domain, ("none", "ppo:1"))
    number, *_ = await kept(services, domain)
    words = ("sessions", "drop", "--domain", domain, "--source", shop.key_id)
    said = " ".join((await asyncio.to_thread(command, *words)).output.split())
    assert "fitted again" in said
    assert "1 trial" in said
    assert f"`re2llm measure --domain {domain}` and `re2llm train --domain {domain}`" in said
    found, trials, weights = await kept(services, domain)
    assert found not in {None, number}
    assert (trials, weights) == (0, 0)


async def test_feedback_alone_that_is_settled_takes_nothing_with_it(
    services: Services, domain: str, shop: Caller
) -> None:
    await fit_first_stage(await resolve_context(Context(domain=domain)))
    await measured(services, domain)
    before = await kept(services, domain)
    context = Context(domain=domain, policy="none", model="offline", caller=shop)
    made = await recommend(context, IDS[:2], candidates=IDS[10:25])
    await give_feedback(context, made.recommendation_id or "", made.ranking[-1])
    dropped = await drop_sessions(Context(domain=domain), shop.key_id)
    assert (dropped.sessions, dropped.feedback_settled) == (0, 1)
    assert await kept(services, domain) == before


async def test_a_fit_on_older_sessions_replaces_no_newer_one(
    services: Services, domain: str, shop: Caller
) -> None:
    options = await resolve_context(Context(domain=domain))
    async with services.engine.begin() as connection:
        older = await find_domain(connection, domain)
        await mark_changed(connection, older)
    fitted = await fit_first_stage(options)
    async with services.engine.begin() as connection:
        kept, gone = await store_first_stage(connection, older, b"late", {"of": 1})
        known = await describe_first_stage(connection, older.id)
    assert known is not None
    assert kept == known.metrics == fitted
    assert gone == Forgotten()


def write_more(file: Path) -> Path:
    """Write sessions enough for another fit, which nobody has loaded."""
    more = [
        {"history": [IDS[n], IDS[n + 1], IDS[n + 2]], "target": IDS[n + 3]}
        for n in range(len(SESSIONS) // 5 + 1)
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in more))
    return file


async def test_what_a_load_forgets_is_told(
    services: Services, domain: str, shop: Caller, tmp_path: Path
) -> None:
    await fit_first_stage(await resolve_context(Context(domain=domain)))
    await measured(services, domain, ("none", "ppo:1"))
    more = write_more(tmp_path / "more.jsonl")
    words = ("load", "--domain", domain, "--sessions", str(more))
    said = " ".join((await asyncio.to_thread(command, *words)).output.split())
    assert "the first stage was fitted again" in said
    assert "1 trial" in said
    assert f"`re2llm measure --domain {domain}` and `re2llm train --domain {domain}`" in said
    assert (await kept(services, domain))[1:] == (0, 0)
    again = json.loads((await asyncio.to_thread(command, *words, "--json")).stdout)
    assert (again["trials_forgotten"], again["weights_forgotten"]) == (0, [])


async def test_what_learning_and_measuring_forget_is_in_their_outcomes(
    services: Services, domain: str, shop: Caller
) -> None:
    context = Context(domain=domain, model="offline", fuse="learned")
    options = await resolve_context(context)
    for operation in (partial(learn, max_llm_calls=1), partial(measure, sessions=2)):
        await fit_first_stage(options)
        await measured(services, domain, ("none", "ppo:1"))
        async with services.engine.begin() as connection:
            found = await find_domain(connection, domain)
            row = update(FirstStageRow).where(FirstStageRow.domain_id == found.id)
            await connection.execute(row.values(metrics={"of": 1}, revision=0))
        done = (await operation(context)).as_dict()
        assert done["trials_forgotten"] >= 1  # the learner has paid for some, too
        assert done["weights_forgotten"] == ["none", "ppo:1"]


async def test_of_a_very_long_session_the_newest_items_are_kept(
    services: Services, domain: str, shop: Caller
) -> None:
    long = Session(tuple(IDS[n % len(IDS)] for n in range(5_000)), LIFTED)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        assert await store_sessions(connection, found, [long], source=shop.key_id) == 1
        assert await store_sessions(connection, found, [long], source=shop.key_id) == 0
        [key, none] = await first_keys(connection, found, [long, Session(("x",), "y")])
        assert key is not None
        assert none is None
        stored = await fetch_session(connection, found.id, key)
    assert stored.history == long.history[-1_000:]


async def test_what_cannot_be_ranked_is_not_observed(
    services: Services, domain: str, shop: Caller
) -> None:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        before = await session_keys(connection, found.id)
    for candidates in (IDS[:1], [IDS[0], IDS[0]], IDS[:0]):
        observed = {"history": IDS[5:8], "target": IDS[0], "candidates": candidates}
        result = await run(learn_graph, shop, {"observed": observed, "domain": domain})
        assert result["error"]["field"] == "candidates"
    async with services.engine.connect() as connection:
        assert await session_keys(connection, found.id) == before
