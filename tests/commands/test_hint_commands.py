"""`re2llm hints`: what a person adds, reads, approves and retires, and what harm retires."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import re2llm
from prompts import ALONE_VERSION, document_of
from re2llm.cli import app
from re2llm.commands.hints.show import measured
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.graph.learn import graph as learn_graph
from re2llm.graph.recommend import graph as recommend_graph
from re2llm.knowledge.domains import Domain, find_domain
from re2llm.knowledge.hint_store.hints import Hint, add_hint, clean_hint, hint_key, list_hints
from re2llm.knowledge.hint_store.stats import refresh_stats, retire_harmful
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.sessions.training_sessions import session_keys
from re2llm.operations.hints import manage as hints
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.settings import Settings
from sqlalchemy import text
from typer.testing import CliRunner

SESSIONS = simulate_sessions(20, seed=5)
HETREC = Path(re2llm.__file__).resolve().parent.parent / "shared" / "data" / "hetrec2011"
MODEL = "a-model"
OWN = PromptedModel(MODEL, ALONE_VERSION)
HINT = "Prefer films by the directors of the most recent films."
Change = Callable[..., None]


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["hints", *map(str, arguments)])


@pytest.fixture
async def classroom(services: Services, domain: str) -> str:
    """The sample films with sessions, in a domain of one's own."""
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    return domain


@pytest.fixture
def proposals(url: str, domain: str) -> Callable[[], list[Any]]:
    def read() -> list[Any]:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return connection.execute(
                "SELECT p.text, outcome, reason, hint_id, reflection_id FROM "
                "re2llm.hint_proposal AS p JOIN re2llm.domain AS d ON d.id = domain_id "
                "WHERE name = %s ORDER BY p.id",
                [domain],
            ).fetchall()

    return read


def listed(domain: str) -> list[dict[str, Any]]:
    done = command("list", "--domain", domain, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


# Add


def test_a_persons_hint_is_stored(classroom: str, proposals: Callable[[], list[Any]]) -> None:
    done = command("add", "--domain", classroom, f"  {HINT.replace(' ', '   ')} ", "--json")
    assert done.exit_code == 0, done.stderr
    [added] = json.loads(done.stdout)
    [hint] = listed(classroom)
    assert added.pop("understood")
    assert added == {"text": HINT, "outcome": "stored", "reason": "", "hint_id": hint["id"]}
    assert (hint["text"], hint["status"], hint["trials"]) == (HINT, "active", 0)
    assert proposals() == [(HINT, "stored", "", hint["id"], None)]


def test_a_leak_is_refused_with_its_reason_and_recorded(
    classroom: str, proposals: Callable[[], list[Any]]
) -> None:
    leak = "Recommend Blade Runner to everyone."
    done = command("add", "--domain", classroom, leak)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert "leak" in done.stdout
    assert "Blade Runner" in done.stdout.splitlines()[1]
    assert listed(classroom) == []
    [(recorded, outcome, reason, hint, reflection)] = proposals()
    assert (recorded, outcome, hint, reflection) == (leak, "leak", None, None)
    assert "Blade Runner" in reason


def test_one_good_hint_among_leaks_is_a_success(classroom: str) -> None:
    leak = "Recommend Blade Runner to everyone."
    done = command("add", "--domain", classroom, leak, HINT, "--json")
    assert done.exit_code == 0
    assert [added["outcome"] for added in json.loads(done.stdout)] == ["leak", "stored"]


def test_entities_are_resolved(classroom: str) -> None:
    done = command(
        "add", "--domain", classroom, "Weigh the user&#39;s era &amp; country.", "--json"
    )
    assert json.loads(done.stdout)[0]["text"] == "Weigh the user's era & country."
    refused = command("add", "--domain", classroom, "Recommend Blade&nbsp;Runner to everyone.")
    assert refused.exit_code == 1


def test_it_is_said_what_the_offline_model_takes_a_hint_for(classroom: str) -> None:
    hints = ["Avoid popular films.", "Prefer old classics; prefer popular, widely known films."]
    done = command("add", "--domain", classroom, *hints, "--json")
    avoid, prefer = (added["understood"] for added in json.loads(done.stdout))
    assert avoid[0].startswith("well-known titles -")
    assert prefer[0].startswith("recent titles -")
    assert prefer[1].startswith("well-known titles +")
    shown = command("add", "--domain", classroom, HINT).stdout
    assert "the same director as the most recent items +" in shown


def test_the_same_text_is_known(classroom: str, proposals: Callable[[], list[Any]]) -> None:
    first = json.loads(command("add", "--domain", classroom, HINT, "--json").stdout)[0]
    done = command("add", "--domain", classroom, HINT, "--json")
    assert done.exit_code == 0
    [second] = json.loads(done.stdout)
    assert (second["outcome"], second["hint_id"]) == ("duplicate", first["hint_id"])
    assert second["reason"]
    assert len(listed(classroom)) == 1
    assert [row[1] for row in proposals()] == ["stored", "duplicate"]


def test_a_file_of_hints(classroom: str, tmp_path: Path) -> None:
    file = tmp_path / "hints.json"
    file.write_text(json.dumps(["", HINT, 7, None, "Prefer what is new."]))
    done = command("add", "--domain", classroom, "--file", file, "--json")
    assert done.exit_code == 0, done.stderr
    assert [added["text"] for added in json.loads(done.stdout)] == [HINT, "Prefer what is new."]


@pytest.mark.parametrize(
    ("content", "word"), [(None, "hints.json"), ("[", "hints.json"), ("{}", "list"), ("[]", "TEXT")]
)
def test_a_file_that_cannot_be_used_is_told(
    classroom: str, tmp_path: Path, content: str | None, word: str
) -> None:
    file = tmp_path / "hints.json"
    if content is not None:
        file.write_text(content)
    done = command("add", "--domain", classroom, "--file", file)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert word in done.stderr


@pytest.mark.long
def test_bad_input_is_told(classroom: str) -> None:
    for arguments, word in (
        (["add", "--domain", classroom, " "], "empty"),
        (["add", "--domain", classroom, "x" * 501], "501"),
        (["add", "--domain", classroom], "no hint"),
        (["add", "--domain", "no-such-domain", HINT], "no-such-domain"),
        (["list", "--domain", "no-such-domain"], "no-such-domain"),
        (["show", "999999", "--domain", classroom], "999999"),
        (["approve", "999999", "--domain", classroom], "999999"),
        (["retire", "999999", "--domain", classroom], "999999"),
    ):
        done = command(*arguments)
        assert done.exit_code == 1, arguments
        assert done.stderr.startswith("error: "), done.stderr
        assert word in done.stderr
    assert listed(classroom) == []


async def test_many_people_adding_the_same_hint_store_it_once(
    services: Services, classroom: str
) -> None:
    texts = [HINT, "Prefer what is new.", HINT.upper()] * 6
    added = await asyncio.gather(
        *(hints.add_hint(Context(), one, domain=classroom) for one in texts)
    )
    assert [one.outcome for one in added].count("stored") == len(set(texts))
    async with services.engine.connect() as connection:
        found = await find_domain(connection, classroom)
        stored = await list_hints(connection, found.id)
    assert sorted(hint.text for hint in stored) == sorted(set(texts))


# List, approve, retire


@pytest.mark.parametrize(("prompt", "said"), [("9", "on random"), ("8", "yet:")])
def test_a_page_does_not_deny_the_trials_that_it_lists(prompt: str, said: str) -> None:
    numbers: dict[str, Any] = {"sessions": 0, "mean": 0, "ci90": (0, 0), "helped": 0, "harmed": 0}
    (_, _, line, _) = measured(
        {
            "id": 1,
            "status": "active",
            "text": HINT,
            "domain": "films",
            "uses": 0,
            "measured": {**numbers, "model": "offline", "prompt_version": "9"},
            "measured_elsewhere": None,
            "trials": [{"model": "offline", "prompt_version": prompt, "sessions": 3}],
        }
    )
    assert line.startswith(f"Not tried with offline and these settings {said}")


@pytest.mark.long
def test_a_hint_goes_from_active_to_retired_and_back(classroom: str) -> None:
    number = json.loads(command("add", "--domain", classroom, HINT, "--json").stdout)[0]["hint_id"]
    shown = command("list", "--domain", classroom)
    assert HINT in shown.stdout
    assert "not tried" in shown.stdout
    retired = command("retire", number, "--domain", classroom, "--reason", "too vague")
    assert retired.exit_code == 0, retired.stderr
    assert listed(classroom)[0]["status"] == "retired"
    page = command("show", number, "--domain", classroom).stdout
    assert page.startswith(f"Hint {number}, retired: {HINT}\n")
    assert f"`re2llm hints verify {number} --domain {classroom}`" in page
    assert "too vague" in page
    shown = command("show", number, "--domain", classroom, "--json").stdout
    assert json.loads(shown)["provenance"] == {
        "source": "person", "retired_because": "too vague"
    }  # fmt: skip
    approved = command("approve", number, "--domain", classroom)
    assert approved.exit_code == 0
    assert listed(classroom)[0]["status"] == "active"
    for action, status in (("retire", "retired"), ("approve", "active")):
        done = command(action, number, "--domain", classroom, "--json")
        assert json.loads(done.stdout) == [{"id": number, "status": status}]


def test_one_unknown_number_changes_nothing(classroom: str) -> None:
    number = json.loads(command("add", "--domain", classroom, HINT, "--json").stdout)[0]["hint_id"]
    done = command("retire", number, "999999", "--domain", classroom)
    assert done.exit_code == 1
    assert listed(classroom)[0]["status"] == "active"


@pytest.mark.long
async def test_a_hint_of_another_domain_is_out_of_reach(services: Services, classroom: str) -> None:
    other = f"{classroom}-without-hints"
    await load_domain(services, other, sample_items(), [lambda _: SESSIONS])
    added = await asyncio.to_thread(command, "add", "--domain", classroom, HINT, "--json")
    number = json.loads(added.stdout)[0]["hint_id"]
    for action in ("show", "retire", "approve"):
        done = await asyncio.to_thread(command, action, number, "--domain", other)
        assert done.exit_code == 1


# Lineage


@pytest.mark.long
async def test_show_tells_the_miss_the_diagnosis_the_trials_and_the_uses(
    services: Services,
    adjust: Change,
    script: Callable[..., Any],
    classroom: str,
) -> None:
    from re2llm.knowledge.hint_store.lineage import hint_lineage

    adjust(verify_random=5, verify_near=0)
    targets = {tuple(s.history): s.target for s in SESSIONS}
    names = {item.id: item.title for item in sample_items()}
    by_titles = {tuple(names[i] for i in h): names[t or ""] for h, t in targets.items()}

    def teach(messages: Sequence[Any]) -> str:
        if len(messages) == 2:
            if "new_hint" in messages[-1].text:
                return "1"
            document = document_of(messages)
            target = by_titles[tuple(entry["title"] for entry in document["history"])]
            order = sorted(
                document["candidates"],
                key=lambda entry: (entry["title"] == target) != ("hint" in document),
            )
            return json.dumps({"ranking": [entry["number"] for entry in order]})
        return json.dumps({"hints": [HINT]}) if '{"hints"' in messages[-1].text else "It was new."

    name, _ = script(teach)
    async with services.engine.connect() as connection:
        found = await find_domain(connection, classroom)
        first, second, *_ = await session_keys(connection, found.id)
    for key in (first, second):
        request: Any = {"domain": classroom, "session": key}
        await learn_graph.ainvoke(request, context=Context(model=name))
    for _ in range(2):
        asked: Any = {"domain": classroom, "history": list(SESSIONS[3].history)}
        await recommend_graph.ainvoke(asked, context=Context(policy="random", model="offline"))
    async with services.engine.connect() as connection:
        [hint] = await list_hints(connection, found.id)
        story = await hint_lineage(connection, found, hint.id)
        whole = await hint_lineage(connection, found, hint.id, conversation=True)
    json.dumps(story)
    assert (story["id"], story["text"], story["status"]) == (hint.id, HINT, "active")
    assert story["provenance"]["source"] == "reflection"
    assert story["provenance"]["session"] == first
    own, repeat = story["proposals"]
    assert (own["outcome"], repeat["outcome"]) == ("stored", "duplicate")
    assert [p["miss"]["session"] for p in (own, repeat)] == [first, second]
    assert own["miss"]["diagnosis"] == "It was new."
    assert own["miss"]["rank"] > 10
    assert own["miss"]["model"] == name
    assert own["miss"]["history"] == [names[item] for item in SESSIONS[0].history]
    assert own["miss"]["target"] == names[SESSIONS[0].target or ""]
    assert "messages" not in own["miss"]
    roles = [message["role"] for message in whole["proposals"][0]["miss"]["messages"]]
    assert roles == ["system", "human", "ai", "human", "ai", "human", "ai", "human", "ai"]
    assert own["verification"]["mean"] == pytest.approx(1.0)
    [trials] = story["trials"]
    assert trials["model"] == name
    assert trials["prompt_version"] == ALONE_VERSION
    assert trials["sessions"] >= 6
    assert trials["mean_ndcg@10"] == pytest.approx(1.0)
    assert trials["mean_gain"] == pytest.approx(1.0)
    assert (trials["helped"], trials["harmed"]) == (trials["sessions"], 0)
    assert story["uses"] == 2

    at = (hint.id, "--domain", classroom, "--conversation")
    assert_story(story, await asyncio.to_thread(command, "show", *at))


def assert_story(story: dict[str, Any], done: Any) -> None:
    """The page has what the JSON has."""
    page = [line.strip() for line in done.stdout.splitlines()]
    assert f"Given in {story['uses']} recommendations." in page
    for proposal in story["proposals"]:
        miss = proposal["miss"]
        [session] = [line for line in page if line.startswith(f"session {miss['session']}: ")]
        assert f"then {miss['target']}, ranked {miss['rank']}" in session
    assert page.count("diagnosis: It was new.") == 2
    assert "[system]" in page
    [row] = [line.split() for line in page if line.startswith(story["trials"][0]["model"])]
    assert row[3] == "+1.000"
    assert "Why the gains differ" not in done.stdout  # all are 1


# Figures and harm

_Cells = dict[tuple[int, str | None], int]


async def plant(
    services: Services, domain: str, ranks: _Cells, *, model: str = MODEL
) -> tuple[Domain, list[int]]:
    """Store trials by hand: the rank of the target, by the session's place and the hint."""
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        keys = await session_keys(connection, found.id)
        for (place, hint), rank in ranks.items():
            trial = Trial(
                keys[place], hint_key(hint), model, ALONE_VERSION, rank, "{}"
            )  # fmt: skip
            await store_trial(connection, found.id, trial)
    return found, keys


async def figures(
    services: Services, domain: Domain, only: Sequence[int] | None = None
) -> dict[str, Hint]:
    async with services.engine.begin() as connection:
        keys = await session_keys(connection, domain.id)
        drawn = keys if only is None else [keys[place] for place in only]
        await refresh_stats(connection, domain.id, OWN, drawn)
        return {hint.text: hint for hint in await list_hints(connection, domain.id)}


async def add(services: Services, domain: str, hints: Sequence[str]) -> None:
    vectors = services.embedder.encode(list(hints))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for hint, vector in zip(hints, vectors, strict=True):
            await add_hint(connection, found.id, hint, vector, provenance={})


def ndcg(rank: int) -> float:
    return float(1 / np.log2(rank + 1)) if rank <= 10 else 0.0


async def test_figures_are_those_of_numpy(services: Services, classroom: str) -> None:
    draw = random.Random(1)
    hints = [f"Prefer kind {number} of films." for number in range(5)]
    await add(services, classroom, hints)
    ranks: _Cells = {(p, None): draw.randint(1, 20) for p in range(len(SESSIONS)) if p % 5}
    for number, hint in enumerate(hints[:4]):
        places = draw.sample(range(len(SESSIONS)), (1, 2, 40, 60)[number])
        ranks |= {(place, hint): draw.randint(1, 20) for place in places}
    found, _ = await plant(services, classroom, ranks)
    # Neither another model's trials nor those of a text that is no hint count.
    await plant(services, classroom, {(p, h): 1 for p in range(9) for h in hints}, model="other")
    await plant(services, classroom, {(1, "No hint of this name."): 1})
    measured = await figures(services, found)
    for hint in hints:
        gains = np.array(
            [
                ndcg(rank) - ndcg(ranks[place, None])
                for (place, given), rank in ranks.items()
                if given == hint and (place, None) in ranks
            ]
        )
        mine = measured[hint]
        error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else 0.0
        assert mine.trials == len(gains)
        assert mine.mean_gain == pytest.approx(gains.mean() if len(gains) else 0.0)
        assert mine.gain_error == pytest.approx(error)
        assert (mine.helped, mine.harmed) == ((gains > 0).sum(), (gains < 0).sum())


async def test_sessions_that_were_not_drawn_at_random_do_not_count(
    services: Services, classroom: str
) -> None:
    await add(services, classroom, [HINT])
    found, _ = await plant(
        services, classroom, {(0, HINT): 1, (0, None): 20, (1, HINT): 20, (1, None): 1}
    )
    assert (await figures(services, found, [1]))[HINT].mean_gain == pytest.approx(-1.0)
    assert (await figures(services, found))[HINT].mean_gain == pytest.approx(0.0)


async def test_a_cell_is_stored_once(services: Services, classroom: str) -> None:
    await add(services, classroom, [HINT])
    found, _ = await plant(services, classroom, {(0, None): 11, (0, HINT): 1})
    await plant(services, classroom, {(0, None): 1, (0, HINT): 11})
    assert (await figures(services, found))[HINT].mean_gain == pytest.approx(1.0)


async def test_harm_with_another_model_retires_nothing(services: Services, classroom: str) -> None:
    await add(services, classroom, [HINT])
    ranks: _Cells = {(place, None): 1 for place in range(40)}
    ranks |= {(place, HINT): 15 for place in range(40)}
    found, _ = await plant(services, classroom, ranks)
    shown = await figures(services, found)
    assert shown[HINT].mean_gain < 0  # shown for want of others
    async with services.engine.begin() as connection:
        for other in (
            replace(OWN, model="openai:other"),
            replace(OWN, prompt_version="rank-4/best-20"),
        ):
            assert await retire_harmful(connection, found.id, other) == []


@pytest.mark.parametrize(
    ("trials", "harmed", "retired"),
    [
        (30, 30, True),  # all of them, just enough trials
        (29, 29, False),  # too few to be sure
        (40, 12, True),  # now and then, but for certain
        (40, 1, False),  # may be bad luck
        (40, 0, False),  # no loss, no gain
    ],
)
async def test_measured_harm_retires_a_hint(
    services: Services, classroom: str, trials: int, harmed: int, retired: bool
) -> None:
    other = "Prefer what is new."
    await add(services, classroom, [HINT, other])
    ranks: _Cells = {(place, None): 1 for place in range(trials)}
    ranks |= {(place, HINT): 15 if place < harmed else 1 for place in range(trials)}
    ranks |= {(place, other): 1 for place in range(trials)}
    found, _ = await plant(services, classroom, ranks)
    await figures(services, found)
    async with services.engine.begin() as connection:
        gone = await retire_harmful(connection, found.id, OWN)
        again = await retire_harmful(connection, found.id, OWN)
    assert [hint.text for hint in gone] == ([HINT] if retired else [])
    assert again == []
    after = await figures(services, found)
    assert after[HINT].status == ("retired" if retired else "active")
    assert after[other].status == "active"
    if retired:
        async with services.engine.connect() as connection:
            reason = await connection.scalar(
                text(
                    "SELECT provenance->>'retired_because' FROM re2llm.hint "
                    "WHERE domain_id = :domain AND id = :id"
                ),
                {"domain": found.id, "id": gone[0].id},
            )
        assert str(trials) in reason


# The hints of the paper's authors


@pytest.mark.long
@pytest.mark.skipif(not HETREC.is_dir(), reason="the authors' data is not here")
def test_the_authors_hints_are_stored_or_refused_with_a_reason(
    classroom: str, settings: Settings
) -> None:
    """On the sample films; their own catalogue is too large to embed in a test."""
    file = HETREC / "paper_hints.json"
    wanted = [clean_hint(h.replace("&#39;", "'")) for h in json.loads(file.read_text()) if h]
    done = command("add", "--domain", classroom, "--file", file, "--json")
    assert done.exit_code == 0, done.stderr
    added = json.loads(done.stdout)
    assert [one["text"] for one in added] == wanted
    assert all(one["hint_id"] if one["outcome"] == "stored" else one["reason"] for one in added)
    assert sum(one["outcome"] == "stored" for one in added) >= 18


@pytest.mark.long
def test_a_gain_from_another_prompt_is_shown_as_such(
    classroom: str, adjust: Callable[..., None]
) -> None:
    """After `re2llm demo`, which lets the model rank alone, nothing looks as if never tried."""
    adjust(verify_random=5, verify_near=0, fuse="llm")
    number = json.loads(command("add", "--domain", classroom, HINT, "--json").stdout)[0]["hint_id"]
    done = command("verify", number, "--domain", classroom)
    assert done.exit_code == 0, done.stderr
    [here] = listed(classroom)
    assert here["trials"] > 0
    assert here["gain_elsewhere"] is None
    adjust(fuse="learned")
    [there] = listed(classroom)
    assert there["trials"] == 0
    assert there["gain_elsewhere"] == here["mean_gain"]
    shown = command("list", "--domain", classroom)
    [row] = [line.split() for line in shown.stdout.splitlines() if HINT in line]
    assert row[2:4] == [f"{here['mean_gain']:+.3f}*", f"{here['trials']}"]
    assert "measured with another model" in shown.stderr
    told = command("show", number, "--domain", classroom)
    assert f"RE2LLM_FUSE or prompt: Gain {here['mean_gain']:+.3f} NDCG@10" in told.stdout
    document = json.loads(command("show", number, "--domain", classroom, "--json").stdout)
    assert document["measured"]["sessions"] == 0
    assert document["measured_elsewhere"]["mean"] == here["mean_gain"]


async def test_gains_that_differ_say_why(
    services: Services, classroom: str, adjust: Callable[..., None]
) -> None:
    """The list counts random sessions only, and the sum of all trials does not."""
    adjust(model=MODEL)
    await add(services, classroom, [HINT])
    cells: _Cells = {(place, None): 12 for place in range(6)}
    cells |= {(place, HINT): 1 if place < 3 else 12 for place in range(6)}
    found, _ = await plant(services, classroom, cells)
    await figures(services, found, only=[2, 3, 4, 5])
    [row] = await asyncio.to_thread(listed, classroom)
    at = ("show", row["id"], "--domain", classroom)
    page = (await asyncio.to_thread(command, *at)).stdout
    document = json.loads((await asyncio.to_thread(command, *at, "--json")).stdout)
    assert (row["trials"], row["mean_gain"]) == (4, 0.25)
    assert document["measured"]["mean"] == row["mean_gain"]
    assert document["trials"][0]["mean_gain"] == pytest.approx(0.5)
    assert "Gain +0.250 NDCG@10" in page
    assert "Why the gains differ: the first one, as in `hints list`, counts random" in page
