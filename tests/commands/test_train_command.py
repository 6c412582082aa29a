"""`re2llm train` and `re2llm policy`, as a person runs them on the sample films."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from batch_server import BatchServer
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import ModelDownError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.fusions import store_fusions
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.llm.offline import OfflineRanker
from re2llm.operations.loading.load import load_domain
from re2llm.operations.releases.store import NOT_ASKED_FOR
from re2llm.operations.training import train as operation
from re2llm.operations.training.results import TrainedRelease
from re2llm.policies.fusion import Fusion
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from typer.testing import CliRunner

SESSIONS = simulate_sessions(14, seed=5)
HINTS = [
    "Give more weight to how often it was chosen right before or after the most recent items.",
    "Prefer the same director as in the history.",
]
PANEL = 6


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def as_json(*arguments: object) -> Any:
    done = command(*arguments)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: object) -> str:
    done = command(*arguments)
    assert done.exit_code == 1, done.output
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture
async def school(services: Services, domain: str, adjust: Callable[..., None]) -> str:
    """The sample films with sessions and two hints, in a domain of one's own."""
    adjust(train_panel=PANEL, max_hints=1)
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    vectors = services.embedder.encode(HINTS)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for hint, vector in zip(HINTS, vectors, strict=True):
            await add_hint(connection, found.id, hint, vector, provenance={})
    return domain


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
def test_train_releases_and_policy_switches(school: str, url: str) -> None:
    """One training pays for the cells that it visits; the same once more pays nothing."""
    first = as_json("train", "--domain", school, "--seed", 3, "--json")
    cells = len(SESSIONS) * (len(HINTS) + 1)
    assert first["active"]
    assert first["all_cells"] == cells
    assert 0 < first["cells"] <= cells
    assert 0 < first["llm_calls"] <= cells
    assert first["validation_sessions"] == len(SESSIONS)

    [listed] = as_json("policy", "list", "--domain", school, "--json")
    shown = as_json("policy", "show", first["release"], "--domain", school, "--json")
    assert listed == shown
    assert (shown["status"], shown["recipe"], shown["model"]) == ("active", "content", "offline")
    assert len(shown["hint_ids"]) == len(HINTS)
    assert "weights" not in shown
    curve = shown["metrics"]["curve"]
    assert curve[0]["update"] == 0
    assert shown["metrics"]["update"] in [point["update"] for point in curve]

    # What a training has tried counts in the hints' figures, so the next one may visit other cells.
    made = [first]
    while made[-1]["llm_calls"] or made[-2]["llm_calls"]:
        made.append(as_json("train", "--domain", school, "--seed", 3, "--force", "--json"))
        assert sum(one["llm_calls"] for one in made) <= cells
    second, third = made[-2:]
    assert [one["release"] for one in made] == list(range(1, len(made) + 1))
    same = ("gain", "static_gain", "cells", "update", "active")
    assert [third[name] for name in same] == [second[name] for name in same]

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "UPDATE re2llm.policy_release SET metrics = metrics "
            '|| \'{"gain": 0.9, "by_session": false}\' '
            "WHERE number = %s AND domain_id = (SELECT id FROM re2llm.domain WHERE name = %s)",
            [third["release"], school],
        )
    shown = command("policy", "show", third["release"], "--domain", school).stdout
    assert "It gives that hint to all" in shown
    worse = as_json("train", "--domain", school, "--seed", 4, "--json")
    assert not worse["active"]
    assert worse["why_not"].startswith("Release ")
    assert "`force`" in worse["why_not"]
    assert "--force" in refused("policy", "activate", first["release"], "--domain", school)
    releases = as_json("policy", "list", "--domain", school, "--json")
    assert [row["id"] for row in releases if row["status"] == "active"] == [third["release"]]

    done = command("policy", "activate", first["release"], "--domain", school, "--force")
    assert (done.exit_code, done.stdout) == (0, f"Release {first['release']} is active.\n")
    done = command("policy", "rollback", "--domain", school)
    assert (done.exit_code, done.stdout) == (0, f"Release {third['release']} is active again.\n")

    answer = as_json("recommend", "--domain", school, "alien-1979", "--policy", "ppo", "--json")
    assert answer["hint"]["policy"] == f"ppo:{third['release']}"


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
def test_a_release_can_be_rolled_out_instead_of_activated(school: str) -> None:
    done = command("train", "--domain", school, "--no-activate")
    assert done.exit_code == 0, done.stderr
    assert "Not activated: It was asked for without activating it." in done.stdout
    assert f"`re2llm policy canary 1 --domain {school}`" in done.stderr
    [listed] = as_json("policy", "list", "--domain", school, "--json")
    assert listed["status"] == "inactive"
    done = command("policy", "canary", 1, "--domain", school, "--steps", "5,100")
    assert done.exit_code == 0, done.stderr
    assert "5 % of people get release 1" in done.stdout


def test_force_activates_so_it_cannot_be_given_with_no_activate(domain: str) -> None:
    line = refused("train", "--domain", domain, "--force", "--no-activate")
    assert line.startswith("error: --force: ")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_training")
def test_the_paper_recipe_trains_too(school: str) -> None:
    done = command("train", "--domain", school, "--recipe", "paper")
    assert done.exit_code == 0, done.stderr
    assert "(paper): gain " in done.stdout
    [listed] = as_json("policy", "list", "--domain", school, "--json")
    assert listed["recipe"] == "paper"


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
def test_a_spent_budget_stops_training_and_the_next_run_goes_on(school: str, url: str) -> None:
    def paid() -> int:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            row = connection.execute(
                "SELECT count(*) FROM re2llm.hint_trial AS t JOIN re2llm.domain AS d "
                "ON d.id = t.domain_id WHERE d.name = %s",
                [school],
            ).fetchone()
            return row[0] if row else 0

    line = refused("train", "--domain", school, "--max-llm-calls", 5)
    assert "--max-llm-calls" in line
    before = paid()
    assert 0 < before <= 5
    assert as_json("policy", "list", "--domain", school, "--json") == []
    done = as_json("train", "--domain", school, "--json")
    assert done["llm_calls"] == paid() - before


@pytest.mark.slow
@pytest.mark.usefixtures("quick_training")
def test_what_is_sure_to_be_asked_goes_into_a_batch(
    school: str, url: str, adjust: Callable[..., None]
) -> None:
    with BatchServer().running() as server:
        model = "openai:trained-in-batches"
        settings = {"structured": "plain", "batch_poll": 0.02}
        adjust(base_url=server.url, api_key="sk-none", model=model, **settings)
        trained = as_json("train", "--domain", school, "--seed", 3, "--batch", "--json")
        sure = PANEL * (len(HINTS) + 1)
        assert len(server.batches) == 1
        assert len(server.questions()) == sure - 1
        assert trained["llm_calls"] == sure - 1 + len(server.single)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            (trials,) = connection.execute(
                "SELECT count(*) FROM re2llm.hint_trial WHERE model = %s", [model]
            ).fetchone()
        # The first question was asked alone; the other single calls are cells beyond the panel.
        assert trials == trained["llm_calls"]
        again = as_json("train", "--domain", school, "--seed", 3, "--batch", "--json")
        assert (again["llm_calls"], len(server.batches)) == (0, 1)


async def test_a_dead_model_ends_training(
    services: Services, school: str, adjust: Callable[..., None]
) -> None:
    class Dead(OfflineRanker):
        def _answer(self, *_: Any) -> str:
            raise TimeoutError

    adjust(concurrency=2, breaker_failures=2, breaker_pause=0.05, model_retries=0)
    services.models.register("dead", Dead())
    with pytest.raises(ModelDownError, match="dead did not answer in time"):
        await operation.train(Context(domain=school, model="dead", seed=0))


async def test_what_cannot_be_trained_is_told(
    services: Services, domain: str, adjust: Callable[..., None]
) -> None:
    await load_domain(services, domain, sample_items()[:5], [])
    line = await asyncio.to_thread(refused, "train", "--domain", domain)
    assert "0 active hints" in line
    assert "re2llm learn" in line
    line = await asyncio.to_thread(refused, "train", "--domain", domain, "--recipe", "magic")
    assert "magic" in line
    assert "paper" in line
    for arguments in (["show", 999_999], ["activate", 999_999], ["rollback"]):
        assert "release" in await asyncio.to_thread(
            refused, "policy", *arguments, "--domain", domain
        )
    line = await asyncio.to_thread(refused, "policy", "rollback", "--domain", domain)
    assert line.startswith("error: --domain: It has no other release that was active before.")
    done = await asyncio.to_thread(command, "policy", "list", "--domain", domain)
    assert "no release yet" in done.stdout


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
def test_sets_of_hints_are_trained_served_and_evaluated(
    school: str, adjust: Callable[..., None], url: str, tmp_path: Path
) -> None:
    adjust(train_panel=PANEL, max_hints=3, explore=False)
    trained = as_json("train", "--domain", school, "--seed", 3, "--json")
    assert trained["all_cells"] == len(SESSIONS) * (1 + len(HINTS) + 1)  # both hints at most
    assert 0 <= trained["mean_hints"] <= len(HINTS)
    assert trained["gain"] >= trained["static_gain"] - 0.05
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute(
            "SELECT t.hint_keys IS NULL, count(*) FROM re2llm.hint_trial AS t "
            "JOIN re2llm.domain AS d ON d.id = domain_id WHERE d.name = %s GROUP BY 1",
            [school],
        ).fetchall()
    tried = dict(found)
    assert 0 < tried[False] <= len(SESSIONS)
    assert sum(tried.values()) == trained["llm_calls"]
    shown = as_json("policy", "show", trained["release"], "--domain", school, "--json")
    assert shown["config"]["policy"]["most"] == len(HINTS)

    again = as_json("train", "--domain", school, "--seed", 3, "--force", "--json")
    assert again["llm_calls"] <= trained["all_cells"] - trained["llm_calls"]
    answer = as_json("recommend", "--domain", school, "alien-1979", "--policy", "ppo", "--json")
    assert answer["hint"]["policy"] == f"ppo:{again['release']}"
    assert len(answer["hints"]) <= len(HINTS)
    assert answer["hint"]["id"] == next((hint["id"] for hint in answer["hints"]), None)

    file = tmp_path / "sessions.jsonl"
    rows = [{"history": list(s.history), "target": s.target} for s in SESSIONS[:4]]
    file.write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "evaluation.json"
    asked = ("evaluate", "--domain", school, "--sessions", file, "--baselines", "", "--json", out)
    assert command(*asked).exit_code == 0
    measured = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    assert sum(measured["ppo"]["hints_given"].values()) == len(rows)
    assert measured["static"]["mean_hints"] <= 1


async def test_a_model_that_was_measured_to_add_nothing_is_told_not_to_be_asked(
    school: str, services: Services, adjust: Callable[..., None]
) -> None:
    adjust(model="openai:mine", api_key="k", fuse="learned")
    options = await resolve_context(Context(domain=school))
    useless = Fusion(0.0, (), 500, -0.001, -0.004, 0.002).as_dict()
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        await store_fusions(connection, found.id, options.prompted_model, {"none": useless})
    asked = ("recommend", "--domain", school, "Alien", "--policy", "none")
    told = await asyncio.to_thread(command, *asked)
    assert told.exit_code == 0, told.stderr
    [line] = told.stderr.splitlines()
    assert line.startswith("note: openai:mine was not asked: it was measured to add nothing")
    assert f"`re2llm measure --domain {school}`" in line
    # What is measured without hints changes no weight that was learned with them.
    async with services.engine.begin() as connection:
        await store_fusions(connection, found.id, options.prompted_model, {"similar": useless})
    told = await asyncio.to_thread(command, *asked[:-1], "similar")
    assert told.exit_code == 0, told.stderr
    [line] = told.stderr.splitlines()
    assert f"`re2llm train --domain {school}` measures again, for a new release" in line
    assert "re2llm measure" not in line


def outcome(**other: Any) -> TrainedRelease:
    values: dict[str, Any] = {
        "domain": "films",
        "release": 1,
        "recipe": "content",
        "active": True,
        "why_not": "",
        "gain": 0.06,
        "static_gain": 0.06,
        "mean_hints": 1.0,
        "validation_sessions": 100,
        "update": 5,
        "by_session": True,
        "cells": 1,
        "all_cells": 1,
        "visited_sessions": None,
        "more_gain": None,
        "more_noise": None,
        "visits_ended_by": None,
        "llm_calls": 0,
        "cost": 0.0,
        "unanswered": 0,
        "fusion": {},
        "seconds": 1.0,
        "retired_hints": [],
    }
    return TrainedRelease(**{**values, **other})


@pytest.mark.parametrize("by_session", [True, False])
def test_a_choice_that_gains_less_than_the_best_hint_is_told(
    monkeypatch: pytest.MonkeyPatch, by_session: bool
) -> None:
    async def trained(*_: object, **__: object) -> TrainedRelease:
        return outcome(by_session=by_session)

    monkeypatch.setattr(operation, "train", trained)
    done = command("train", "--domain", "films")
    assert done.exit_code == 0, done.stderr
    assert ("gives that to all" in done.output) is not by_session


@pytest.mark.parametrize("against", ["", "It is worse than no hint: -0.100 on 40 sessions. "])
def test_only_a_release_that_nothing_speaks_against_is_offered_to_all(
    monkeypatch: pytest.MonkeyPatch, against: str
) -> None:
    async def trained(*_: object, **__: object) -> TrainedRelease:
        return outcome(active=False, why_not=f"{against}{NOT_ASKED_FOR}")

    monkeypatch.setattr(operation, "train", trained)
    done = command("train", "--domain", "films", "--no-activate")
    assert done.exit_code == 0, done.stderr
    assert f"Not activated: {against}{NOT_ASKED_FOR}" in done.stdout
    assert "`re2llm policy canary 1 --domain films`" in done.stderr
    assert ("policy activate" in done.stderr) is not bool(against)
