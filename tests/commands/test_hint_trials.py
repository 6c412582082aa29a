"""`re2llm hints verify`, `try`, `export` and `import`, and a release of another model."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from fault_server import FaultServer
from prompts import document_of
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints, set_status
from re2llm.operations.hints.exchange import import_from_domain
from re2llm.operations.hints.manage import list_hints as listed_hints
from re2llm.operations.hints.verify import verify_hints
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from tried import stored
from typer.testing import CliRunner

SESSIONS = simulate_sessions(14, seed=5)
GOOD = "Give more weight to how often it was chosen right before or after the most recent items."
BAD = "Avoid what was chosen right before or after the most recent items."
Change = Callable[..., None]
Script = Callable[..., Any]


async def command(*arguments: object) -> Any:
    words = [str(argument) for argument in arguments]
    return await asyncio.to_thread(CliRunner().invoke, app, words)


async def as_json(*arguments: object) -> Any:
    done = await command(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
async def classroom(services: Services, adjust: Change, domain: str) -> str:
    """The sample films with sessions, in a domain of one's own, and a small panel."""
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    adjust(verify_random=8, verify_doubtful=1, train_panel=0, concurrency=2)
    return domain


async def status_of(services: Services, domain: str) -> dict[int, str]:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        return {hint.id: hint.status for hint in await list_hints(connection, found.id)}


# Verify


@pytest.mark.long
async def test_hints_are_tried_once_on_the_current_model(
    services: Services, classroom: str
) -> None:
    numbers = await stored(services, classroom, GOOD, BAD)
    steps: list[tuple[str, int, int | None]] = []
    found = await verify_hints(
        Context(domain=classroom),
        progress=lambda stage, done, total=None, note="": steps.append((stage, done, total)),
    )
    assert (found.model, found.left, found.stopped) == ("offline", 0, None)
    assert [hint.id for hint in found.hints] == numbers
    for hint in found.hints:
        low, high = hint.gain.ci90
        assert low <= hint.gain.mean <= high
        assert hint.gain.sessions == 8
        wanted = "helps" if low > 0 else "harms" if high < 0 else "no_gain"
        assert hint.outcome == wanted
        assert hint.status == "active"  # eight sessions prove no harm
    assert steps[0] == ("verifying", 0, 2)
    assert len(steps) == 1 + 2 * 8
    listed = (await listed_hints(Context(domain=classroom))).hints
    assert [hint.trials for hint in listed] == [8, 8]
    again = await verify_hints(Context(domain=classroom))
    assert (again.hints, again.llm_calls) == ([], 0)
    named = await verify_hints(Context(domain=classroom), numbers[:1])
    assert ([hint.id for hint in named.hints], named.llm_calls) == (numbers[:1], 0)


@pytest.mark.parametrize(
    ("approve", "rank", "status", "outcome"),
    [
        (False, 1, "active", "helps"),
        (True, 1, "pending", "helps"),
        (False, 0, "pending", "no_gain"),
    ],
)
async def test_a_pending_hint_that_helps_becomes_active(
    services: Services,
    adjust: Change,
    script: Script,
    classroom: str,
    approve: bool,
    rank: int,
    status: str,
    outcome: str,
) -> None:
    """The model ranks the right film first if a hint says so, and last otherwise."""
    adjust(verify_random=8, verify_doubtful=1, approve_hints=approve)
    targets = {session.target: session for session in SESSIONS}
    titles = {item.title for item in sample_items() if item.id in targets}

    def answer(messages: Any) -> str:
        candidates = document_of(messages)["candidates"]
        right = [c["number"] for c in candidates if c["title"] in titles]
        wrong = [c["number"] for c in candidates if c["title"] not in titles]
        helped = rank and "Prefer silent films." in "".join(m.text for m in messages)
        return json.dumps({"ranking": [*right, *wrong] if helped else [*wrong, *right]})

    name, _ = script(answer)
    [number] = await stored(services, classroom, "Prefer silent films.", status="pending")
    found = await verify_hints(Context(domain=classroom, model=name))
    [hint] = found.hints
    assert (hint.id, hint.outcome, hint.status) == (number, outcome, status)
    assert await status_of(services, classroom) == {number: status}
    if approve:
        assert f"hints approve {number}" in hint.decision


@pytest.mark.long
async def test_clear_harm_retires_a_hint(
    services: Services, adjust: Change, script: Script, domain: str
) -> None:
    sessions = simulate_sessions(40, seed=5)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    adjust(verify_random=40, verify_doubtful=1, train_panel=40)
    titles = {item.id: item.title for item in sample_items()}
    right = {titles[session.target or ""] for session in sessions}

    def answer(messages: Any) -> str:
        candidates = document_of(messages)["candidates"]
        first = [c["number"] for c in candidates if c["title"] in right]
        last = [c["number"] for c in candidates if c["title"] not in right]
        harmed = "Prefer silent films." in "".join(message.text for message in messages)
        return json.dumps({"ranking": [*last, *first] if harmed else [*first, *last]})

    name, _ = script(answer)
    [number] = await stored(services, domain, "Prefer silent films.")
    [hint] = (await verify_hints(Context(domain=domain, model=name))).hints
    assert (hint.outcome, hint.status, hint.gain.sessions) == ("harms", "retired", 30)
    assert "retired" in hint.decision
    assert await status_of(services, domain) == {number: "retired"}


async def test_a_budget_ends_it_and_another_run_goes_on(
    services: Services, adjust: Change, classroom: str
) -> None:
    adjust(verify_random=8, verify_doubtful=1, train_panel=0, concurrency=1)
    await stored(services, classroom, GOOD, BAD)
    calls = 0
    for _ in range(10):
        found = await verify_hints(Context(domain=classroom), max_llm_calls=7)
        assert found.llm_calls <= 7
        calls += found.llm_calls
        if found.stopped is None:
            break
        assert found.stopped["kind"] == "budget"
    assert found.left == 0
    assert calls == 3 * 8  # two hints and none, each on eight sessions, paid once


@pytest.mark.long
async def test_the_command_prints_gain_interval_and_decision(
    services: Services, classroom: str
) -> None:
    empty = await command("hints", "verify", "--domain", classroom)
    assert "has no active or pending hints: `re2llm learn`" in empty.stdout
    [number] = await stored(services, classroom, GOOD)
    done = await command("hints", "verify", "--domain", classroom)
    assert done.exit_code == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == f"hint {number}: {GOOD}"
    assert "90 % interval" in second
    assert re.search(r"\. It (helps|harms|brings no gain .*) and stays active\.$", second)
    assert "model calls on offline" in third
    assert "already" in (await command("hints", "verify", "--domain", classroom)).stdout
    refused = await command("hints", "verify", "999999", "--domain", classroom)
    assert refused.exit_code == 1
    assert "no hint 999999" in refused.stderr


# Try and add


@pytest.mark.long
async def test_a_hint_is_tried_without_being_stored(
    services: Services, classroom: str, rows: Callable[[], dict[str, int]]
) -> None:
    tried = await as_json("hints", "try", GOOD, "--domain", classroom, "--sessions", 5)
    assert tried["gain"]["sessions"] == 5
    assert tried["understood"]
    assert tried["leak"] is None
    assert await status_of(services, classroom) == {}
    before = rows()
    leak = await as_json(
        "hints", "try", "Recommend Blade Runner.", "--domain", classroom, "--sessions", 2
    )
    assert "Blade Runner" in leak["leak"]
    after = rows()
    assert after["hint"] == before["hint"]
    assert after["hint_proposal"] == before["hint_proposal"]
    shown = (await command("hints", "try", GOOD, "--domain", classroom, "--sessions", 5)).stdout
    assert shown.startswith("The offline model weighs what usually follows next +")
    assert "90 % interval" in shown


@pytest.mark.long
async def test_a_persons_hint_is_said_to_be_unverified_or_verified(
    services: Services, classroom: str
) -> None:
    done = await command("hints", "add", GOOD, "--domain", classroom)
    [number] = await status_of(services, classroom)
    assert f"re2llm hints verify {number}" in done.stdout
    done = await command("hints", "add", BAD, "--domain", classroom, "--verify")
    assert "90 % interval" in done.stdout
    assert "Unverified" not in done.stdout
    [added] = await as_json("hints", "add", BAD, "--domain", classroom, "--verify")
    assert (added["outcome"], added["verified"]["gain"]["sessions"]) == ("duplicate", 8)


# Export and import


@pytest.mark.long
async def test_hints_make_the_round_trip(
    services: Services, classroom: str, tmp_path: Path
) -> None:
    numbers = await stored(services, classroom, GOOD, BAD, "Prefer silent films.")
    async with services.engine.begin() as connection:
        found = await find_domain(connection, classroom)
        await set_status(connection, found.id, numbers[2], "retired", "test")
    file = tmp_path / "hints.json"
    done = await command("hints", "export", file, "--domain", classroom)
    assert done.exit_code == 0, done.stderr
    assert [hint["text"] for hint in json.loads(file.read_text())["hints"]] == [GOOD, BAD]
    printed = await command("hints", "export", "-", "--domain", classroom)
    assert json.loads(printed.stdout) == json.loads(file.read_text())

    assert (await as_json("hints", "import", file, "--domain", classroom))["duplicate"] == 2
    other = f"{classroom}-other"
    await load_domain(services, other, sample_items(), [lambda _: SESSIONS])
    imported = await as_json("hints", "import", file, "--domain", other)
    assert await status_of(services, other) == dict.fromkeys(imported["stored"], "pending")
    again = await command("hints", "export", "-", "--domain", other)
    texts = [(hint["text"], hint["status"]) for hint in json.loads(again.stdout)["hints"]]
    assert texts == [(GOOD, "pending"), (BAD, "pending")]
    verified = (await as_json("hints", "verify", "--domain", other))["hints"]
    assert [hint["id"] for hint in verified] == imported["stored"]


@pytest.mark.long
async def test_a_new_domain_starts_from_anothers_hints(services: Services, classroom: str) -> None:
    numbers = await stored(services, classroom, GOOD, BAD, "Recommend Blade Runner to everyone.")
    async with services.engine.begin() as connection:
        found = await find_domain(connection, classroom)
        await set_status(connection, found.id, numbers[1], "retired", "test")
    other = f"{classroom}-new"
    await load_domain(services, other, sample_items(), [lambda _: SESSIONS])
    given = ("hints", "import", "--from-domain", classroom, "--domain", other)
    imported = await as_json(*given)
    assert [len(imported["stored"]), len(imported["refused"])] == [1, 1]  # it names a film
    [number] = imported["stored"]
    assert await status_of(services, other) == {number: "pending"}
    story = await as_json("hints", "show", number, "--domain", other, "--json")
    origin = {"source": "domain", "domain": classroom, "hint": numbers[0]}
    assert story["provenance"] == origin
    assert (await as_json(*given))["duplicate"] == 1
    tried = (await as_json("hints", "verify", "--domain", other))["hints"]
    assert [hint["id"] for hint in tried] == [number]


async def test_anothers_hints_are_like_none(services: Services, classroom: str) -> None:
    own = f"mine-{classroom[::-1]}"
    await load_domain(services, own, sample_items(), [lambda _: SESSIONS])
    await stored(services, classroom, GOOD)
    narrow = Context(domain=own, domains=[own])
    said: list[str] = []
    for other in (classroom, "nowhere"):
        with pytest.raises(InputError) as raised:
            await import_from_domain(narrow, other)
        said.append(str(raised.value).replace(other, "X"))
    assert said[0] == said[1]
    assert await status_of(services, own) == {}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "No file is named"),
        (("x.json", "--from-domain", "films"), "one of the two"),
        (("--from-domain", "nowhere"), "nowhere"),
        (("--from-domain", "SELF"), "same domain"),
    ],
)
async def test_what_cannot_be_imported_from_is_said(
    services: Services, classroom: str, options: tuple[str, ...], problem: str
) -> None:
    words = [classroom if word == "SELF" else word for word in options]
    done = await command("hints", "import", *words, "--domain", classroom)
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert problem in line


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ('{"hints": 3}', "hints"),
        ('[["a"]]', "hints.0.text"),
        ('{"hints": [{"text": "  "}]}', "Hint 1"),
        ("[1, 2", "cannot be read"),
        ("null", "list of hints"),
    ],
)
async def test_a_file_in_another_form_is_refused_whole(
    services: Services, classroom: str, tmp_path: Path, document: str, problem: str
) -> None:
    file = tmp_path / "hints.json"
    file.write_text(document)
    done = await command("hints", "import", file, "--domain", classroom)
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert problem in line
    assert await status_of(services, classroom) == {}


async def test_an_imported_hint_that_names_an_item_is_refused(
    services: Services, classroom: str, tmp_path: Path
) -> None:
    file = tmp_path / "hints.json"
    file.write_text(json.dumps(["Recommend Blade Runner to everyone.", GOOD]))
    imported = await as_json("hints", "import", file, "--domain", classroom)
    assert len(imported["stored"]) == 1
    [refused] = imported["refused"]
    assert "Blade Runner" in refused["reason"]


async def test_hints_are_piped_from_one_domain_to_another(classroom: str, films: str) -> None:
    await command("hints", "add", "--domain", classroom, GOOD)
    exported = await command("hints", "export", "-", "--domain", classroom)
    words = ["hints", "import", "-", "--domain", films, "--json"]
    imported = await asyncio.to_thread(CliRunner().invoke, app, words, input=exported.stdout)
    assert imported.exit_code == 0, imported.output
    assert len(json.loads(imported.stdout)["stored"]) == 1


# Another model than the release's


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.mark.long
async def test_a_ranking_that_stays_invalid_says_what_to_do(films: str, adjust: Change) -> None:
    with FaultServer(speak=lambda _: "I would rather talk about the weather.").running() as server:
        adjust(model="openai:x", base_url=server.url, api_key="sk-test", fuse="llm")
        done = await command("recommend", "--domain", films, "Alien", "-k", 3)
    assert done.exit_code == 0, done.output
    assert "completed" in done.stdout
    [note] = done.stderr.splitlines()
    assert note.startswith("note: openai:x gave no complete answer")
    assert "`re2llm doctor`" in note


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
async def test_a_release_of_another_model_leaves_a_ranking_and_a_note(
    services: Services, adjust: Change, classroom: str, server: FaultServer
) -> None:
    await stored(services, classroom, GOOD, BAD)
    trained = await command("train", "--domain", classroom, "--seed", 0, "--force")
    assert trained.exit_code == 0, trained.output
    adjust(model="openai:x", base_url=server.url, api_key="sk-test", verify_random=8)
    done = await command("recommend", "--domain", classroom, "Alien", "-k", 3)
    assert done.exit_code == 0, done.output
    assert sum(line.startswith(("  1. ", "  2. ", "  3. ")) for line in done.stdout.splitlines())
    assert "flags: release_skipped" in done.stdout
    assert f"re2llm hints verify --domain {classroom}" in done.stderr
    assert f"re2llm train --domain {classroom}" in done.stderr
    verified = await as_json("hints", "verify", "--domain", classroom)
    assert (verified["model"], len(verified["hints"])) == ("openai:x", 2)


def test_every_hint_command_completes_its_domain() -> None:
    group: Any = typer.main.get_command(app).commands["hints"]  # type: ignore[attr-defined]
    for name, leaf in group.commands.items():
        domain = next(option for option in leaf.params if option.name == "domain")
        assert domain._custom_shell_complete is not None, name
