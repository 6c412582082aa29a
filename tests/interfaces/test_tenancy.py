"""Two keys, two domains: what one owner has is, to the other, as if it were not there."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from re2llm.data.sample import load_films
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key, revoke_key
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints
from re2llm.knowledge.sessions.training_sessions import session_keys
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.loading.load import load_domain
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from server_logs import troubles
from sqlalchemy import text

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
pytest.importorskip("mcp")

pytestmark = pytest.mark.timeout(300)

MINE = ("violin", "viola", "cello", "harp", "flute", "oboe")
THEIRS = ("walnut", "almond", "cashew", "pecan", "hazelnut", "pistachio")
MCP_HEADERS = {"accept": "application/json, text/event-stream"}


@dataclass
class Tenant:
    """An owner with a key, and something of every kind."""

    domain: str
    items: tuple[str, ...]
    key: str
    http: httpx.AsyncClient
    thread: str = ""
    run: str = ""
    checkpoint: str = ""
    recommendation: str = ""
    task: str = ""
    hint: int = 0
    session: int = 0

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "item": self.items[0],
            "other": self.items[1],
            "thread": self.thread,
            "run": self.run,
            "checkpoint": self.checkpoint,
            "recommendation": self.recommendation,
            "task": self.task,
            "hint": self.hint,
            "session": self.session,
            "namespace": f"of-{self.domain}",
            "stored": f"key-{self.domain}",
            "secret": f"secret-{self.domain}",
        }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenants(server: str, services: Services, films: str) -> Any:
    mine = await settle(server, services, "mine", MINE)
    theirs = await settle(server, services, "theirs", THEIRS)
    yield mine, theirs
    for tenant in (mine, theirs):
        await tenant.http.aclose()


async def settle(server: str, services: Services, owner: str, names: tuple[str, ...]) -> Tenant:
    domain = f"{owner}-{uuid.uuid4().hex[:8]}"
    items = [Item(f"{name}-1", name.title(), {"kind": owner}) for name in names]
    ids = tuple(item.id for item in items)
    sessions = [Session(ids[:2], ids[2]), Session(ids[1:3], ids[4])]
    await load_domain(services, domain, items, [lambda _: sessions])
    # Of hints with the same number, each owner has one: these have numbers that the other lacks.
    last = text("UPDATE re2llm.domain SET deleted_hint = :last WHERE name = :name")
    async with services.engine.begin() as connection:
        await connection.execute(last, {"name": domain, "last": 81_000_000 + len(owner)})
    await add_hint(Context(), f"Prefer what is like the first one, {owner}.", domain=domain)
    async with services.engine.begin() as connection:
        key = await create_key(connection, owner, [domain], Grants(may=("learn",)))
        found = await find_domain(connection, domain)
        hint = (await list_hints(connection, found.id))[0].id
        session = (await session_keys(connection, found.id))[0]
    http = httpx.AsyncClient(
        base_url=server, headers={"authorization": f"Bearer {key}"}, timeout=60
    )
    tenant = Tenant(domain, ids, key, http, hint=hint, session=session)
    metadata = {"note": f"secret-{domain}"}
    thread = (await http.post("/threads", json={"metadata": metadata})).raise_for_status()
    tenant.thread = thread.json()["thread_id"]
    request = {"history": [ids[0]]}
    made = await http.post(
        f"/threads/{tenant.thread}/runs/wait", json={"assistant_id": "recommend", "input": request}
    )
    answer = made.raise_for_status().json()
    assert answer["error"] is None, answer
    assert answer["domain"] == domain  # the only one that the key knows is its default
    tenant.recommendation = answer["recommendation_id"]
    (run,) = (await http.get(f"/threads/{tenant.thread}/runs")).json()
    tenant.run = run["run_id"]
    state = (await http.get(f"/threads/{tenant.thread}/state")).json()
    tenant.checkpoint = state["checkpoint"]["checkpoint_id"]
    sent = await http.post("/a2a/" + await chat_id(http), json=a2a(f'I loved "{names[0]}"'))
    tenant.task = sent.raise_for_status().json()["result"]["task"]["id"]
    stored = {"namespace": [f"of-{domain}"], "key": f"key-{domain}", "value": metadata}
    (await http.put("/store/items", json=stored)).raise_for_status()
    return tenant


async def chat_id(http: httpx.AsyncClient) -> str:
    (chat,) = (await http.post("/assistants/search", json={"graph_id": "chat"})).json()
    return chat["assistant_id"]


def a2a(text: str, method: str = "SendMessage", **message: str) -> dict[str, Any]:
    said = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **message}
    return {"jsonrpc": "2.0", "id": "1", "method": method, "params": {"message": said}}


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}


def tool(name: str, **arguments: Any) -> tuple[str, str, Any]:
    return "POST", "/re2llm/mcp", rpc("tools/call", name=name, arguments=arguments)


def graph_tool(name: str, context: Any = None, **arguments: Any) -> tuple[str, str, Any]:
    body = rpc("tools/call", name=name, arguments=arguments)
    if context:
        body["params"]["context"] = context
    return "POST", "/mcp", body


def run(graph: str, given: Any, thread: str | None = None, **more: Any) -> tuple[str, str, Any]:
    body = {"assistant_id": graph, "input": given, **more}
    return "POST", f"/threads/{thread}/runs/wait" if thread else "/runs/wait", body


def command(thread: str, method: str, **params: Any) -> tuple[str, str, Any]:
    return "POST", f"{thread}/commands", {"id": 1, "method": method, "params": params}


def hostile(own: Tenant, chat: str, **i: Any) -> dict[str, tuple[str, str, Any]]:
    """Requests that name somebody else's ids, by what they try."""
    item, domain, thread = i["item"], i["domain"], i["thread"]
    mine = {"history": [own.items[0]]}
    listed = [own.items[1], item]
    observed = {"history": [own.items[0]], "target": item}
    superstep = {"updates": [{"values": {"domain": domain}, "as_node": "prepare"}]}
    goto = {"update": {"domain": domain}, "goto": "select_hint"}
    here = f"/threads/{thread}"
    say = {"messages": [{"role": "user", "content": f'I loved "{item}"'}]}
    return {
        # Runs of graphs
        "domain in input": run("recommend", {"history": [item], "domain": domain}),
        "domain in context": run("recommend", {"history": [item]}, context={"domain": domain}),
        "domains in context": run(
            "recommend", {"history": [item], "domain": domain}, context={"domains": [domain]}
        ),
        "nested context": run(
            "recommend", {"history": [item]}, context={"re2llm": {"domain": domain}}
        ),
        "domain in configurable": run(
            "recommend", {"history": [item]}, config={"configurable": {"domain": domain}}
        ),
        "a user of one's own": run(
            "recommend",
            {"history": [item], "domain": domain},
            config={"configurable": {"langgraph_auth_user": {"identity": "theirs"}}},
        ),
        "item in history": run("recommend", {"history": [item]}),
        "item among candidates": run("recommend", {**mine, "candidates": listed}),
        "hint": run("recommend", mine, context={"hint_id": i["hint"]}),
        "learn from a domain": run("learn", {"domain": domain}),
        "learn from a session": run("learn", {"session": i["session"]}),
        "learn from an item": run("learn", {"observed": observed}),
        "learn in a context": run("learn", {}, context={"domain": domain}),
        "chat in a domain": run("chat", say, context={"domain": domain}),
        "chat of an item": run("chat", say),
        "run on a thread": run("recommend", mine, thread),
        "run on a thread, made if new": run("recommend", mine, thread, if_not_exists="create"),
        "go on with a thread": run("recommend", None, thread),
        "from a checkpoint": run("recommend", None, thread, checkpoint_id=i["checkpoint"]),
        "their checkpoint on my thread": run(
            "recommend", mine, own.thread, checkpoint_id=i["checkpoint"]
        ),
        "stream on a thread": ("POST", f"{here}/runs/stream", run("recommend", mine)[2]),
        "background on a thread": ("POST", f"{here}/runs", run("recommend", mine)[2]),
        "batch": ("POST", "/runs/batch", [run("recommend", {**mine, "domain": domain})[2]]),
        "command with a state": run("recommend", None, own.thread, command=goto),
        "command on a thread": run("recommend", None, thread, command=goto),
        "assistant": run(thread, mine),
        # Threads and runs
        "read a thread": ("GET", here, None),
        "read its state": ("GET", f"{here}/state", None),
        "read its state at a checkpoint": ("GET", f"{here}/state/{i['checkpoint']}", None),
        "read a checkpoint": (
            "POST",
            f"{here}/state/checkpoint",
            {"checkpoint": {"thread_id": thread, "checkpoint_id": i["checkpoint"]}},
        ),
        "read its history": ("GET", f"{here}/history", None),
        "search its history": ("POST", f"{here}/history", {"limit": 5}),
        "write its state": ("POST", f"{here}/state", {"values": {"domain": domain}}),
        "change its metadata": ("PATCH", here, {"metadata": {"re2llm_owner": "mine"}}),
        "delete a thread": ("DELETE", here, None),
        "copy a thread": ("POST", f"{here}/copy", None),
        "make a thread": ("POST", "/threads", {"thread_id": thread}),
        "make a thread or nothing": (
            "POST",
            "/threads",
            {"thread_id": thread, "if_exists": "do_nothing"},
        ),
        "make a thread, id in capitals": (
            "POST",
            "/threads",
            {"thread_id": thread.upper(), "if_exists": "do_nothing"},
        ),
        "make a thread with a state": (
            "POST",
            "/threads",
            {"thread_id": thread, "supersteps": [superstep]},
        ),
        "prune a thread": ("POST", "/threads/prune", {"thread_ids": [thread]}),
        "search by id": ("POST", "/threads/search", {"ids": [thread]}),
        "search by metadata": ("POST", "/threads/search", {"metadata": {"note": i["secret"]}}),
        "search by owner": ("POST", "/threads/search", {"metadata": {"re2llm_owner": "theirs"}}),
        "count by metadata": ("POST", "/threads/count", {"metadata": {"note": i["secret"]}}),
        "list runs": ("GET", f"{here}/runs", None),
        "read a run": ("GET", f"{here}/runs/{i['run']}", None),
        "read their run on my thread": ("GET", f"/threads/{own.thread}/runs/{i['run']}", None),
        "join a run": ("GET", f"{here}/runs/{i['run']}/join", None),
        "stream a run": ("GET", f"{here}/runs/{i['run']}/stream", None),
        "stream a thread": ("GET", f"{here}/stream", None),
        "cancel a run": ("POST", f"{here}/runs/{i['run']}/cancel", None),
        "cancel runs": ("POST", "/runs/cancel", {"thread_id": thread, "run_ids": [i["run"]]}),
        "delete a run": ("DELETE", f"{here}/runs/{i['run']}", None),
        "start by a command": command(here, "run.start", assistant_id="recommend", input=mine),
        "start in a domain by a command": command(
            f"/threads/{own.thread}",
            "run.start",
            assistant_id="recommend",
            input={**mine, "domain": domain},
        ),
        "respond by a command": command(
            here, "input.respond", interrupt_id="0" * 32, namespace=[], response={}
        ),
        "go elsewhere by a command": command(
            here,
            "input.respond",
            interrupt_id="0" * 32,
            namespace=[],
            response={},
            goto=goto["goto"],
        ),
        "read the tree by a command": command(here, "agent.getTree", run_id=i["run"]),
        "stream events": ("POST", f"{here}/stream/events", {"channels": ["values", "messages"]}),
        "schedule runs": (
            "POST",
            f"{here}/runs/crons",
            {"assistant_id": "recommend", "schedule": "0 0 * * *", "input": mine},
        ),
        "make an assistant": (
            "POST",
            "/assistants",
            {"graph_id": "recommend", "assistant_id": thread, "context": {"domain": domain}},
        ),
        # The store
        "read what is stored": (
            "GET",
            f"/store/items?namespace={i['namespace']}&key={i['stored']}",
            None,
        ),
        "search the store": ("POST", "/store/items/search", {"namespace_prefix": []}),
        "list namespaces": ("POST", "/store/namespaces", {"suffix": [i["namespace"]]}),
        # Our MCP server
        "mcp: recommend": tool("recommend", history=[item], domain=domain),
        "mcp: recommend an item": tool("recommend", history=[item]),
        "mcp: candidates": tool("recommend", history=[own.items[0]], candidates=listed),
        "mcp: feedback": tool(
            "feedback", recommendation_id=i["recommendation"], picked=item, domain=domain
        ),
        "mcp: feedback at home": tool("feedback", recommendation_id=i["recommendation"]),
        "mcp: feedback on mine": tool(
            "feedback", recommendation_id=own.recommendation, picked=item
        ),
        "mcp: titles": tool("find_titles", titles=[item], domain=domain),
        "mcp: hints": tool("list_hints", domain=domain),
        # Whole graphs over MCP, and A2A
        "graph tool": graph_tool("recommend", history=[item], domain=domain),
        "graph tool with a context": graph_tool("recommend", {"domain": domain}, history=[item]),
        "a2a: context": ("POST", f"/a2a/{chat}", a2a(item, contextId=thread)),
        "a2a: task": ("POST", f"/a2a/{chat}", a2a(item, taskId=i["task"])),
        "a2a: read a task": ("POST", f"/a2a/{chat}", rpc("GetTask", id=i["task"])),
        "a2a: cancel a task": ("POST", f"/a2a/{chat}", rpc("CancelTask", id=i["task"])),
        "a2a: list tasks": ("POST", f"/a2a/{chat}", rpc("ListTasks", contextId=thread)),
    }


NOWHERE = {
    "domain": "nowhere-12345678",
    "item": "nothing-1",
    "other": "nothing-2",
    "hint": 2_000_000_001,
    "session": 2_000_000_002,
    "namespace": "of-nowhere",
    "stored": "key-nowhere",
    "secret": "secret-nowhere",
}


def nowhere() -> dict[str, Any]:
    thread, run_, context, start = (str(uuid.uuid4()) for _ in range(4))
    return {
        **NOWHERE,
        "thread": thread,
        "run": run_,
        "checkpoint": str(uuid.uuid4()),
        "recommendation": str(uuid.uuid4()),
        "task": f"{context}:{start}",
    }


ATTACKS = list(
    hostile(Tenant("", ("", ""), "", None, thread="", recommendation=""), "", **nowhere())  # type: ignore[arg-type]
)
# Ids that the server makes anew for each answer, times, and what an event stream counts.
CHANGING = re.compile(
    r"\b\d{13}\b|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?"
    r"|(?<=\"request_id\":\")[0-9a-f]{32}"
)


async def send(tenant: Tenant, method: str, path: str, body: Any) -> httpx.Response:
    return await tenant.http.request(method, path, json=body, headers=MCP_HEADERS)


def seen(response: httpx.Response, ids: dict[str, Any]) -> tuple[int, str]:
    """Return an answer with the ids that were sent, and new ones, made alike."""
    text = response.text.lstrip()  # a slow server keeps the connection alive with empty lines
    # The longest first, since some hold others.
    for name, value in sorted(ids.items(), key=lambda pair: -len(str(pair[1]))):
        if isinstance(value, int):
            text = re.sub(rf"\b{name} {value}\b", f"{name} <{name}>", text)
            continue
        for form in (value, value.upper()):
            text = text.replace(form, f"<{name}>")
    # Which of one's own items are near in meaning hangs on how the unknown one is called.
    text = re.sub("|".join(MINE), "<mine>", text, flags=re.IGNORECASE)
    return response.status_code, CHANGING.sub("<new>", text)


def test_there_are_at_least_fifty() -> None:
    assert len(ATTACKS) >= 50


@pytest.mark.long
@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_is_somebody_elses_is_answered_like_what_does_not_exist(
    tenants: tuple[Tenant, Tenant], attack: str
) -> None:
    mine, theirs = tenants
    chat = await chat_id(mine.http)
    fake = nowhere()
    answers = []
    for ids in (theirs.ids, fake):
        response = await send(mine, *hostile(mine, chat, **ids)[attack])
        assert response.status_code < 500, response.text
        answers.append(seen(response, ids))
    assert answers[0] == answers[1]
    told = answers[0][1].casefold()
    for secret in (*THEIRS, theirs.domain, "theirs", theirs.recommendation, theirs.run):
        assert secret.casefold() not in told.replace("re2llm_owner", ""), attack


async def test_after_all_that_everything_of_theirs_is_as_it_was(
    tenants: tuple[Tenant, Tenant],
) -> None:
    _, theirs = tenants
    thread = (await theirs.http.get(f"/threads/{theirs.thread}")).raise_for_status().json()
    assert thread["metadata"]["note"] == f"secret-{theirs.domain}"
    assert thread["metadata"]["re2llm_owner"] == "theirs"
    assert thread["values"]["recommendation_id"] == theirs.recommendation
    (run_,) = (await theirs.http.get(f"/threads/{theirs.thread}/runs")).json()
    assert (run_["run_id"], run_["status"]) == (theirs.run, "success")
    where = f"/store/items?namespace=of-{theirs.domain}&key=key-{theirs.domain}"
    assert (await theirs.http.get(where)).json()["value"]["note"] == f"secret-{theirs.domain}"
    given = {"recommendation_id": theirs.recommendation, "picked": theirs.items[1]}
    answer = (await send(theirs, *tool("feedback", **given))).json()["result"]
    assert answer["structuredContent"]["new"], answer


@pytest.mark.long
async def test_an_owner_has_what_is_theirs(tenants: tuple[Tenant, Tenant]) -> None:
    mine, _ = tenants
    found = (await mine.http.post("/threads/search", json={"limit": 100})).json()
    assert {thread["metadata"]["re2llm_owner"] for thread in found} == {"mine"}
    assert mine.thread in {thread["thread_id"] for thread in found}
    context = mine.task.split(":")[0]
    again = await send(
        mine, "POST", f"/a2a/{await chat_id(mine.http)}", a2a("viola", contextId=context)
    )
    assert again.json()["result"]["task"]["contextId"] == context
    hints = (await send(mine, *tool("list_hints"))).json()["result"]["structuredContent"]
    assert hints["domain"] == mine.domain


@pytest.mark.parametrize("key", ["re2llm_", "re2llm_000000000000_wrong", "re2llm__"])
async def test_a_wrong_key_opens_nothing(server: str, key: str) -> None:
    async with httpx.AsyncClient(base_url=server, headers={"x-api-key": key.encode()}) as http:
        for method, path in (
            ("POST", "/threads/search"),
            ("POST", "/re2llm/mcp"),
            ("POST", "/mcp"),
        ):
            answer = await http.request(method, path, json={}, headers=MCP_HEADERS)
            assert answer.status_code in {400, 401}, answer.text


async def test_a_revoked_key_fails_at_once(server: str, services: Services, films: str) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "gone", [films])
    async with httpx.AsyncClient(base_url=server, headers={"x-api-key": key}) as http:
        assert (await http.post("/threads/search", json={})).status_code == 200
        async with services.engine.begin() as connection:
            assert await revoke_key(connection, key.split("_")[1])
        refused = await http.post("/threads/search", json={})
        assert refused.status_code == 401
        assert "revoked" in refused.json()["detail"]


async def test_what_comes_through_a_proxy_needs_a_key(server: str) -> None:
    async with httpx.AsyncClient(base_url=server) as http:
        assert (await http.post("/threads/search", json={})).status_code == 200
        for name in ("x-forwarded-for", "forwarded", "cf-connecting-ip"):
            for path in ("/threads/search", "/re2llm/mcp", "/mcp"):
                sent = await http.post(path, json={}, headers={name: "203.0.113.7", **MCP_HEADERS})
                assert sent.status_code == 401, (name, path)


async def test_nothing_blocked_or_broke(server_log: Path, tenants: tuple[Tenant, Tenant]) -> None:
    mine, theirs = tenants
    assert troubles(server_log, "BlockingError", mine.key, theirs.key) == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_other_machines_are_refused_until_there_is_a_key(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    serve: Any,
) -> None:
    monkeypatch.setenv("RE2LLM_HOME", str(tmp_path_factory.mktemp("home")))
    (tmp_path / "items.jsonl").write_text('{"id": 1, "title": "A"}\n{"id": 2, "title": "B"}\n')
    await re2llm_command("load", "jsonl", str(tmp_path), "--domain", "letters")
    with (
        pytest.raises(AssertionError, match=r"there is no API key(.|\n)*`re2llm keys create`"),
        serve(tmp_path / "without" / "server.log", host="0.0.0.0"),  # noqa: S104
    ):
        pass
    key = (await re2llm_command("keys", "create", "shop", "--domain", "letters")).strip()
    with serve(tmp_path / "with" / "server.log", host="0.0.0.0") as address:  # noqa: S104
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            body = {"assistant_id": "recommend", "input": {"history": ["1"], "candidates": ["2"]}}
            refused = await http.post("/runs/wait", json=body)
            assert refused.status_code == 401
            assert "re2llm keys create" in refused.text
            answered = await http.post("/runs/wait", json=body, headers={"x-api-key": key})
            assert answered.json()["error"]["field"] == "candidates"


async def re2llm_command(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("re2llm")), *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.long
async def test_over_http_a_key_uses_what_it_was_granted_and_no_more(
    server: str, services: Services, films: str
) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "plain", [films], Grants(requests_per_minute=1000))
        few = await create_key(connection, "few", [films], Grants(requests_per_minute=1))
    items = {"input": {"history": [load_films()[0].id], "k": 3}}
    async with httpx.AsyncClient(base_url=server, timeout=60) as http:
        headers = {"authorization": f"Bearer {key}", **MCP_HEADERS}
        wishes = {
            "model": "openai:o1-pro",
            "orders": 1500,
            "command": "\0",
            "policy": "none",
            "budget": {"max_llm_calls": 0},
            "caller": {"owner": "x"},
        }
        body = {"assistant_id": "recommend", "context": wishes, **items}
        answer = (await http.post("/runs/wait", json=body, headers=headers)).json()
        assert (answer["error"], answer["model"]) == (None, "offline")
        body = {"assistant_id": "learn", "input": {"domain": films}}
        answer = (await http.post("/runs/wait", json=body, headers=headers)).json()
        assert answer["error"]["kind"] == "not_granted"
        headers["authorization"] = f"Bearer {few}"
        statuses = [
            await http.post("/assistants/search", json={}, headers=headers) for _ in range(4)
        ]
        refused = [sent for sent in statuses if sent.status_code == 429]
        assert len(refused) >= 2  # a minute may have ended in between
        assert 1 <= int(refused[0].headers["retry-after"]) <= 60
