"""`re2llm domains` and `re2llm items`, the completion of their names, and lines in pipes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import re2llm
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.operations.catalogue import domains
from re2llm.operations.catalogue.names import names_starting_with
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.recommend import recommend
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.settings import get_settings
from typer.testing import CliRunner

HINT = "Prefer the same director as in the history."
Rows = Callable[[], dict[str, int]]


async def command(*arguments: object, **options: Any) -> Any:
    words = [str(argument) for argument in arguments]
    return await asyncio.to_thread(CliRunner().invoke, app, words, **options)


async def as_json(*arguments: object) -> Any:
    done = await command(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
async def full(services: Services, films: str, domain: str) -> str:
    """A domain with one of everything."""
    sessions = simulate_sessions(6, seed=3)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    await add_hint(Context(), HINT, domain=domain)
    await recommend(Context(policy="none"), ["Alien"], domain=domain)
    return domain


# Domains


async def test_domains_are_listed_with_what_they_hold(full: str) -> None:
    listed = {one["name"]: one for one in await as_json("domains", "list")}
    mine = listed[full]
    assert (mine["items"], mine["hints"], mine["releases"]) == (360, 1, 0)
    assert mine["recommendations"] == 1
    heading, _, *rows = (await command("domains", "list")).stdout.strip().splitlines()
    assert heading.split() == [
        "domain",
        "items",
        "sessions",
        "hints",
        "releases",
        "recommendations",
    ]
    [row] = [row.split() for row in rows if row.split()[0] == full]
    assert row == [full, "360", str(mine["sessions"]), "1", "0", "1"]


async def test_a_deleted_domain_leaves_nothing_and_touches_no_other(
    services: Services, films: str, domain: str, rows: Rows
) -> None:
    before = rows()
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(6, seed=3)])
    await add_hint(Context(), HINT, domain=domain)
    await recommend(Context(policy="none"), ["Alien"], domain=domain)
    assert rows() != before
    deleted = await as_json("domains", "delete", domain, "--yes")
    assert (deleted["name"], deleted["items"]) == (domain, 360)
    assert rows() == before
    gone = await command("domains", "delete", domain, "--yes")
    assert gone.exit_code == 1
    assert "There is no domain" in gone.stderr


@pytest.mark.parametrize(("answer", "deleted"), [("y\n", True), ("n\n", False), ("", False)])
async def test_deleting_a_domain_asks_first(full: str, answer: str, deleted: bool) -> None:
    done = await command("domains", "delete", full, input=answer)
    assert "360 items" in done.stderr
    assert (done.exit_code == 0) is deleted
    names = {one["name"] for one in await as_json("domains", "list")}
    assert (full in names) is not deleted


async def test_a_run_deletes_only_what_it_may_know_of(full: str, films: str) -> None:
    with pytest.raises(InputError, match="There is no domain"):
        await domains.delete_domain(Context(domains=[films]), full)
    with pytest.raises(InputError, match="not named"):
        await domains.delete_domain(Context(), "")
    assert full in {one.name for one in await domains.list_domains(Context())}


# Items


@pytest.mark.parametrize(
    ("typed", "told"), [("Alein", True), ("Alien", False), ("aliens", False), ("alien-1979", False)]
)
async def test_a_guessed_title_is_told(films: str, typed: str, told: bool) -> None:
    done = await command("recommend", "--domain", films, typed, "-k", 1)
    assert done.exit_code == 0, done.stderr
    assert ("'Alein' is taken as Alien [alien-1979]" in done.stderr) is told
    silent = await command("recommend", "--domain", films, typed, "--json")
    assert ("'Alein' is taken as Alien" in silent.stderr) is told
    made = json.loads(silent.stdout)
    assert made["history_titles"] == [{"aliens": "Aliens"}.get(typed, "Alien")]


@pytest.mark.parametrize("query", ["blade runer", "Blade", "Runner, Blade"])
async def test_items_are_found_by_title(films: str, query: str) -> None:
    found = await as_json("items", "search", query, "--domain", films)
    assert found["by_meaning"] is False
    assert "blade-runner-1982" in {item["id"] for item in found["items"]}
    shown = await command("items", "search", query, "--domain", films)
    [row] = [line for line in shown.stdout.splitlines() if "blade-runner-1982" in line]
    assert "director: Ridley Scott; " in row
    assert "year: 1982" in row


async def test_without_a_title_items_are_found_by_meaning(films: str) -> None:
    query = "a robot that travels through outer space"
    found = await as_json("items", "search", query, "--domain", films, "-n", 4)
    assert found["by_meaning"] is True
    assert len(found["items"]) == 4
    shown = await command("items", "search", query, "--domain", films)
    assert shown.stdout.startswith("No title is like it.")
    nothing = await command("items", "search", "  ", "--domain", films)
    assert "Nothing was found" in nothing.stdout


async def test_an_item_is_shown_with_what_goes_with_it(films: str) -> None:
    shown = await as_json("items", "show", "Blade Runner", "--domain", films)
    assert (shown["id"], shown["attributes"]["year"]) == ("blade-runner-1982", 1982)
    assert shown["popularity"] > 0
    for related in (shown["goes_with"], shown["neighbours"]):
        assert len(related) == 5
        assert shown["id"] not in {other["id"] for other in related}
    strengths = [sum(other["evidence"].values()) for other in shown["goes_with"]]
    assert strengths == sorted(strengths, reverse=True)
    text = (await command("items", "show", "blade-runner-1982", "--domain", films)).stdout
    assert "director: Ridley Scott" in text
    refused = await command("items", "show", "No Such Film At All", "--domain", films)
    assert refused.exit_code == 1


async def test_items_are_withdrawn(full: str) -> None:
    done = await command("items", "withdraw", "Alien", "aliens-1986", "--domain", full)
    assert done.exit_code == 0, done.output
    assert "Alien  [" in done.stdout
    assert f"Withdrawn from {full}: 2 items.\n" in done.stdout
    assert "withdrawn" in (await command("items", "show", "Alien", "--domain", full)).stdout
    found = (await command("items", "search", "alein", "--domain", full)).stdout
    assert "withdrawn; " in found
    listed = await as_json("items", "search", "alein", "--domain", full)
    assert {"Alien", "Aliens"} <= {item["title"] for item in listed["items"] if item["withdrawn"]}
    again = await as_json("items", "withdraw", "Alien", "--domain", full)
    assert again["withdrawn"] == 0
    assert (await command("items", "withdraw", "--domain", full)).exit_code == 2


async def test_python_has_the_same_verbs(full: str) -> None:
    async with re2llm.Re2llm(domain=full) as host:
        assert (await host.asearch_items("blade runer")).items[0].id == "blade-runner-1982"
        assert (await host.ashow_item("Alien")).title == "Alien"
        exported = await host.aexport_hints()
        assert [hint["text"] for hint in exported["hints"]] == [HINT]
        assert (await host.aimport_hints(exported)).duplicate == 1
        tried = await host.atry_hint(HINT, sessions=2)
        assert tried.gain.sessions == 2
        [hint] = (await host.ahints()).hints
        await host.aretire_hints([hint.id])
        await host.aapprove_hints([hint.id])
        assert full in {one.name for one in await host.adomains()}
        assert (await host.adelete_domain(full)).name == full


# Names


async def test_names_are_completed(full: str) -> None:
    def offered(*arguments: Any, **options: Any) -> list[str]:
        return [name for name, _ in names_starting_with(*arguments, **options)]

    assert await asyncio.to_thread(offered, full[:8], "domain") == [full]
    assert await asyncio.to_thread(offered, "", "release", domain=full) == []
    numbers = await asyncio.to_thread(offered, "", "hint", domain=full)
    assert len(numbers) == 1
    assert await asyncio.to_thread(offered, "x", "hint", domain=full) == []


@pytest.mark.parametrize("broken", ["home", "url"])
def test_nothing_is_offered_or_started_without_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("RE2LLM_HOME", str(tmp_path / "home"))
    if broken == "url":
        monkeypatch.setenv("RE2LLM_DATABASE_URL", "postgresql://a:b@127.0.0.1:1/none")
    get_settings.cache_clear()
    try:
        assert names_starting_with("", "domain") == []
    finally:
        get_settings.cache_clear()
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.long
async def test_the_shell_is_offered_domains(full: str) -> None:
    words = f"re2llm recommend --domain {full[:9]}"
    asked = {
        "_RE2LLM_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": "3",
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [str(Path(sys.executable).with_name("re2llm"))],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert full in done.stdout, done.stderr


async def test_a_misspelled_domain_is_answered_with_the_right_one(films: str) -> None:
    done = await command("recommend", "Alien", "--domain", "flims")
    assert done.exit_code == 1
    assert "Did you mean 'films'?" in done.stderr
    served = await command("mcp", "--domain", "flims")
    assert served.exit_code == 1
    assert "Did you mean 'films'?" in served.stderr


@pytest.mark.long
async def test_lines_in_pipes_are_not_wrapped(films: str) -> None:
    text = " ".join(["Prefer films that are long, slow and set in one place;"] * 4)
    done = await asyncio.to_thread(
        subprocess.run,
        [str(Path(sys.executable).with_name("re2llm")), "hints", "add", text, "--domain", "none"],
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(done.stderr.splitlines()) == 1
