"""API keys on the command line and in the database, and what a run with a key may know of."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from re2llm.cli import app
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.interfaces.gate import Gate
from re2llm.interfaces.key_rules import asks_for_key, key_of, serves_others
from re2llm.interfaces.named_ids import NotesNamedIds, was_named
from re2llm.knowledge.access.keys import check_key, create_key, revoke_key
from re2llm.runtime.background import Background
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import narrowed
from re2llm.runtime.services import Services
from starlette.requests import Request
from starlette.responses import Response
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
HERE: dict[str, Any] = {"headers": [], "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2)}


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["keys", *arguments])


async def run(*arguments: str) -> Any:
    return await asyncio.to_thread(command, *arguments)


@pytest.mark.long
async def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(films: str) -> None:
    made = await run("create", "shop", "--domain", films)
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    _, number, secret = key.split("_", 2)
    listed = await run("list", "--json")
    assert secret not in listed.stdout
    (mine,) = [one for one in json.loads(listed.stdout) if one["id"] == number]
    assert (mine["owner"], mine["domains"], mine["revoked_at"]) == ("shop", [films], None)
    assert number in (await run("list")).stdout
    assert json.loads((await run("revoke", number, "--json")).stdout)["revoked"]
    assert "already" in (await run("revoke", number)).stdout


async def test_a_key_is_made_with_the_id_that_revokes_it(films: str) -> None:
    made = json.loads((await run("create", "shop", "--domain", films, "--json")).stdout)
    assert made["id"] in made["key"]
    revoked = json.loads((await run("revoke", made["id"], "--json")).stdout)
    assert (revoked["id"], revoked["revoked"]) == (made["id"], True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "shop"),
        ("create", " ", "--domain", "films"),
        ("create", "shop", "--domain", "no-such-domain"),
        ("revoke", "no-such-key"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(films: str, arguments: Any) -> None:
    done = await run(*arguments)
    assert done.exit_code == 1
    assert "error:" in done.output


async def test_only_the_whole_right_key_opens(services: Services, films: str, url: str) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
        found = await check_key(connection, key)
        assert found is not None
        assert (found.owner, found.domains) == ("shop", [films])
        _, number, secret = key.split("_", 2)
        for wrong in (
            "",
            key[:-1],
            f"{key}x",
            f"re2llm_{number}_",
            f"re2llm_{number}",
            f"re2llm_000000000000_{secret}",
            f"other_{number}_{secret}",
            f"re2llm_{number}\0_{secret}",
        ):
            assert await check_key(connection, wrong) is None, wrong
    with psycopg.connect(url.replace("+psycopg", "")) as direct:
        (row,) = direct.execute("SELECT * FROM re2llm.api_key WHERE id = %s", [number]).fetchall()
        assert secret not in repr(row)
        assert hashlib.sha256(secret.encode()).digest() in row
    async with services.engine.begin() as connection:
        assert await revoke_key(connection, number)
        assert await check_key(connection, key) is None
        assert not await revoke_key(connection, number)


async def test_a_hidden_domain_is_answered_like_one_that_does_not_exist(films: str) -> None:
    answers = []
    for name in (films, "no-such-domain"):
        request: Any = {"domain": name, "history": IDS[:2]}
        context = Context(domains=["books"])
        answer = await graph.ainvoke(request, context=context)
        problem = answer["error"]["problem"].replace(name, "?")
        answers.append({**answer["error"], "problem": problem})
    assert answers[0] == answers[1]
    assert films not in answers[0]["problem"]


async def test_the_only_domain_that_is_known_is_the_default(films: str) -> None:
    request: Any = {"history": IDS[:2]}
    answer = await graph.ainvoke(request, context=Context(domains=["books"]))
    assert "'books'" in answer["error"]["problem"]
    answer = await graph.ainvoke(request, context=Context(domains=[films]))
    assert answer["domain"] == films


@pytest.mark.parametrize(
    ("allowed", "wanted", "left"),
    [
        (None, None, None),
        (None, ["a"], ["a"]),
        (["a", "b"], None, ["a", "b"]),
        (["a", "b"], ["b", "c"], ["b"]),
        ([], ["a"], []),
    ],
)
def test_a_context_narrows_what_a_key_allows_and_never_widens_it(
    allowed: Any, wanted: Any, left: Any
) -> None:
    runtime: Any = SimpleNamespace(server_info=SimpleNamespace(user={"domains": allowed}))
    assert narrowed(Context(domains=wanted), runtime).domains == left


@pytest.mark.parametrize(
    ("change", "url", "asks"),
    [
        ({}, None, False),
        ({}, "http://127.0.0.1:2024", False),
        ({}, "http://localhost:2024", False),
        ({}, "http://[::1]:2024", False),
        ({}, "http://0.0.0.0:2024", True),
        ({}, "http://192.0.2.1:2024", True),
        ({}, "https://some.trycloudflare.com", True),
        ({"server": ("192.0.2.1", 2024)}, None, True),
        ({"client": ("192.0.2.7", 999)}, None, True),
        ({"client": None}, None, True),
        ({"server": ("/run/socket", None)}, None, True),
        ({"headers": [(b"x-forwarded-for", b"127.0.0.1")]}, None, True),
    ],
)
def test_only_what_is_sent_and_served_on_this_machine_needs_no_key(
    change: dict[str, Any], url: str | None, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGGRAPH_API_URL", raising=False)
    if url:
        monkeypatch.setenv("LANGGRAPH_API_URL", url)
    assert asks_for_key({**HERE, **change}) is asks
    assert serves_others() is (asks and not change)


def test_a_setting_asks_for_keys_here_too(adjust: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGGRAPH_API_URL", raising=False)
    adjust(require_keys=True)
    assert asks_for_key(HERE)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        (b"authorization", b"Bearer re2llm_a_b", "re2llm_a_b"),
        (b"authorization", b"bearer  re2llm_a_b ", "re2llm_a_b"),
        (b"x-api-key", b"re2llm_a_b", "re2llm_a_b"),
        (b"authorization", b"Basic abc", None),
        (b"cookie", b"x", None),
    ],
)
def test_a_key_comes_as_a_bearer_token_or_a_header(name: bytes, value: bytes, key: Any) -> None:
    assert key_of({"headers": [(name, value)]}) == key


ID = "0190f3a1-7c3e-7d2a-9b1c-0123456789ab"


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (f"/threads/{ID}", b"", True),
        ("/threads", json.dumps({"thread_id": ID}).encode(), True),
        ("/threads", json.dumps({"thread_id": ID.upper()}).encode(), True),
        ("/threads", json.dumps({"thread_id": f"urn:uuid:{ID}"}).encode(), True),
        ("/threads", json.dumps({"thread_id": "{" + ID.replace("-", "") + "}"}).encode(), True),
        ("/threads", f'{{"thread_id": "{ID}", "thread_id": "x"}}'.encode(), True),
        ("/threads", f'{{"thread_id": "\\u0030{ID[1:]}"}}'.encode(), True),
        ("/a2a/x", json.dumps({"params": {"message": [{"taskId": f"{ID}:r"}]}}).encode(), True),
        ("/threads", b'{"metadata": {}}', False),
        ("/threads", b"no json", False),
    ],
)
async def test_an_id_that_a_request_names_is_known_however_it_is_spelt(
    path: str, body: bytes, named: bool
) -> None:
    told: list[bool] = []
    parts = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]
    read: list[bytes] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        told.append(was_named(ID))
        while True:
            part = await receive()
            read.append(part["body"])
            if not part["more_body"]:
                return

    async def receive() -> Any:
        return parts.pop(0)

    scope = {"type": "http", "path": path, "headers": [(b"x-api-key", b"re2llm_a_b")]}
    # A task of its own, as each request is.
    await asyncio.create_task(NotesNamedIds(inner)(scope, receive, receive))
    assert told == [named]
    assert b"".join(read) == body
    assert not was_named(ID)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("headers", "opens"),
    [
        ([("authorization", "Bearer {}"), ("authorization", "Bearer re2llm_a_b")], False),
        ([("authorization", "Bearer re2llm_a_b"), ("Authorization", "Bearer {}")], False),
        ([("authorization", "Bearer {}"), ("authorization", "Basic abc")], False),
        ([("x-api-key", "re2llm_a_b"), ("x-api-key", "{}")], False),
        ([("x-api-key", "{}"), ("x-api-key", "{}")], True),  # the same key
        ([("authorization", "Bearer {}"), ("x-api-key", "of LangSmith")], True),
    ],
)
async def test_a_header_with_two_keys_is_refused(
    services: Services,
    films: str,
    alone: bool,
    headers: list[tuple[str, str]],
    opens: bool,
) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    reached: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        **HERE,
        "type": "http",
        "method": "GET",
        "path": "/v1/domains",
        "headers": [(name.encode(), value.format(key).encode()) for name, value in headers],
    }
    await Gate(inner, alone=alone)(scope, None, send)  # type: ignore[arg-type]
    assert [message["status"] for message in sent if "status" in message] == [400][opens:]
    assert len(reached) == opens


async def test_a_key_opens_no_websocket(services: Services, films: str) -> None:
    reached: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/threads/{ID}/stream/events"
    for headers in ([(b"x-api-key", key.encode())], []):
        await Gate(inner)({"type": "websocket", "path": path, "headers": headers}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert reached == [path]  # this machine's own Studio, which the server's `auth` checks


async def test_an_answer_ends_that_goes_on_after_its_key(
    services: Services, films: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("re2llm.interfaces.long_answers.CHECK_EVERY", 0.0)
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(6):
            if number == 3:
                async with services.engine.begin() as connection:
                    await revoke_key(connection, key.split("_")[1])
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-api-key", key.encode())]
    path = f"/threads/{ID}/stream"
    await Gate(inner)({"type": "http", "path": path, "headers": headers}, None, send)  # type: ignore[arg-type]
    bodies = [(message["body"], message["more_body"]) for message in sent[1:]]
    assert bodies == [(b"0", True), (b"1", True), (b"2", True), (b"", False)]


@pytest.mark.parametrize("revoked", [True, False])
async def test_a_body_that_ends_late_is_checked_again(
    services: Services, films: str, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    monkeypatch.setattr("re2llm.interfaces.late_bodies.LATE", 0.0)
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    sent: list[Any] = []
    acted: list[bytes] = []
    body = [(b"{", True), (b"}", True), (b"", False)]

    async def receive() -> Any:
        part, more = body.pop(0)
        if not more and revoked:
            async with services.engine.begin() as connection:
                await revoke_key(connection, key.split("_")[1])
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        acted.append(await Request(scope, receive).body())
        await Response(None, 204)(scope, receive, send)

    headers = [(b"x-api-key", key.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/threads", "headers": headers}
    await Gate(NotesNamedIds(inner))(scope, receive, send)
    assert sent[0]["status"] == (401 if revoked else 204)
    assert acted == ([] if revoked else [b"{}"])
    assert len(sent) == 2


async def test_a_body_of_very_many_parts_is_refused_and_short_texts_are_no_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []
    reached: list[int] = []

    def counted(text: str) -> uuid.UUID:
        tried.append(text)
        return real(text)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(len((await receive())["body"]))

    real = uuid.UUID
    monkeypatch.setattr("re2llm.interfaces.named_ids.uuid.UUID", counted)
    scope = {"type": "http", "path": "/threads", "headers": [(b"x-api-key", b"re2llm_a_b")]}
    short = json.dumps(["a:b"] * 1_000 + [ID]).encode()
    for body in (short, b"[" + b"[]," * 300_000 + b"[]]"):
        sent: list[Any] = []

        async def receive(body: bytes = body) -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        await asyncio.create_task(NotesNamedIds(inner)(scope, receive, send))
    assert (tried, reached) == ([ID], [len(short)])
    assert sent[0]["status"] == 400


@pytest.mark.parametrize("path", ["/runs/batch", "//runs/./batch/", "/runs%2Fbatch"])
async def test_a_key_sends_no_runs_in_a_batch(services: Services, films: str, path: str) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"[]", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"x-api-key", key.encode())]}
    await Gate(inner)(scope, receive, send)
    assert sent[0]["status"] == 403
    assert b"in a batch" in sent[1]["body"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        # Deeper than `json` reads, and not too deep for the server's own parser.
        (f'{{"thread_id": "{ID}", "metadata": {{"a": {"[" * 1_005 + "]" * 1_005}}}}}', 400),
        (f'{{"thread_id": "{ID}", "metadata": "{"x" * 17 * 2**20}"}}', 413),
    ],
)
async def test_what_hides_its_ids_is_refused(body: str, status: int) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    whole = body.encode()
    parts = [
        {"type": "http.request", "body": whole[at : at + 2**20], "more_body": True}
        for at in range(0, len(whole), 2**20)
    ]
    parts.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/threads", "headers": [(b"x-api-key", b"re2llm_a_b")]}
    await asyncio.create_task(NotesNamedIds(inner)(scope, receive, send))
    assert sent[0]["status"] == status


async def test_a_job_takes_nothing_of_the_request_along() -> None:
    from langchain_core.runnables.config import var_child_runnable_config

    seen: list[Any] = []
    background = Background()

    async def job() -> None:
        seen.append(var_child_runnable_config.get())

    async def request() -> None:
        var_child_runnable_config.set({"configurable": {"langgraph_auth_user": "somebody"}})
        background.send("job", job)

    await asyncio.create_task(request())
    await background.idle()
    assert seen == [None]
