"""Hostile requests at every door: no secret, no cost beyond the grants, no 500, no freeze."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fault_server import FaultServer, backwards
from hostile_requests import Ids, Sent, requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keyed_runs import User, own_model, run, sums
from langgraph_sdk import Auth
from re2llm.graph import learn, rate, recommend
from re2llm.interfaces import chat
from re2llm.interfaces.auth import create_run
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import check_key, create_key
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.loading.load import load_domain
from re2llm.records import Item, Session
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from server_logs import troubles
from sqlalchemy import text

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
pytest.importorskip("mcp")
pytestmark = pytest.mark.timeout(900)

AT_ONCE = 10
CALLS_A_DAY = 25
FROZEN = 0.2
"""Seconds. A machine that is busy with other tests may pause a server for longer, but rarely."""
GRAPHS = {
    "recommend": recommend.graph,
    "chat": chat.graph,
    "learn": learn.graph,
    "rate": rate.graph,
}
SECRETS = ("Xylorimba", "Quinquereme", "sesquipedal", "Prefer what is zymurgical")
"""Titles, a fact, a hint and a note of the other owner, which no request holds."""


@dataclass
class Attack:
    """A keyed server with a model of its own, two hostile keys, and another owner's things."""

    address: str
    log: Path
    model: FaultServer
    name: str
    ids: Ids = field(init=False)
    keys: list[str] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    victim: str = ""
    state: Any = None
    wrong: list[str] = field(default_factory=list)
    """What was wrong with an answer, and the request."""


def speak(body: dict[str, Any]) -> str:
    """Rank if there is something to rank, or say what fits no prompt of ours."""
    said = body["messages"]
    ranks = len(said) > 1 and '"number": 1' in str(said[1]["content"])
    return backwards(body) if ranks else "You may like the first one."


@pytest.fixture(scope="module")
def attacked(
    films: str,
    serve: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Attack]:
    log = tmp_path_factory.mktemp("attacked") / "server.log"
    name = f"openai:own-{uuid.uuid4().hex[:8]}"
    with FaultServer(speak).running() as model, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RE2LLM_REQUIRE_KEYS", "true")
        patch.setenv("RE2LLM_MODEL", name)
        patch.setenv("RE2LLM_BASE_URL", model.url)
        patch.setenv("RE2LLM_API_KEY", "sk-very-secret")
        patch.setenv("RE2LLM_STRUCTURED", "plain")
        patch.setenv("RE2LLM_POLICY", "none")
        with serve(log) as address:
            patch.undo()
            yield Attack(address, log, model, name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attack(attacked: Attack, services: Services) -> AsyncIterator[Attack]:
    domains = [f"{owner}-{uuid.uuid4().hex[:8]}" for owner in ("victim", "attacker")]
    await fill(services, domains[0], SECRETS[0], SECRETS[2], SECRETS[3])
    await fill(services, domains[1], "Piano", "loud", "Prefer what is quiet.")
    owned = await owner_of(services, domains[0], "victim", Grants(may=("learn",)))
    attacked.victim = owned[0]
    for grants in (Grants(calls_per_day=CALLS_A_DAY), Grants()):
        key, caller = await owner_of(services, domains[1], "attacker", grants)
        attacked.keys.append(key)
        attacked.callers.append(caller)
    async with http(attacked, attacked.victim) as own, http(attacked, attacked.keys[0]) as other:
        note = {"metadata": {"note": SECRETS[1]}}
        thread = (await own.post("/threads", json=note)).raise_for_status().json()["thread_id"]
        body = {"assistant_id": "recommend", "input": {"history": ["item-0"]}}
        path = f"/threads/{thread}/runs/wait"
        made = (await own.post(path, json=body)).raise_for_status().json()
        assert made["error"] is None, made
        (done,) = (await own.get(f"/threads/{thread}/runs")).json()
        stored = {"namespace": ["n"], "key": "note", "value": {"note": SECRETS[1]}}
        (await own.put("/store/items", json=stored)).raise_for_status()
        mine = (await other.post("/threads", json={})).raise_for_status().json()["thread_id"]
        (graph,) = (await own.post("/assistants/search", json={"graph_id": "chat"})).json()
        async with services.engine.connect() as connection:
            found = await find_domain(connection, domains[0])
            hint = (await list_hints(connection, found.id))[0].id
        attacked.ids = Ids(
            domain=domains[0],
            item="item-0",
            thread=thread,
            run=done["run_id"],
            recommendation=made["recommendation_id"],
            hint=hint,
            owner="victim",
            own_item="own-0",
            own_thread=mine,
            chat=graph["assistant_id"],
        )
        attacked.state = await state_of(attacked, services)
        attacked.model.asked.clear()
    yield attacked


async def fill(services: Services, domain: str, title: str, fact: str, hint: str) -> None:
    start = "item" if domain.startswith("victim") else "own"
    items = [Item(f"{start}-{n}", f"{title} {n}", {"kind": fact}) for n in range(8)]
    ids = tuple(item.id for item in items)
    sessions = [Session(ids[:2], ids[2]), Session(ids[1:3], ids[4])]
    await load_domain(services, domain, items, [lambda _: sessions])
    await add_hint(Context(), hint, domain=domain)


async def owner_of(
    services: Services, domain: str, owner: str, grants: Grants
) -> tuple[str, Caller]:
    async with services.engine.begin() as connection:
        key = await create_key(connection, owner, [domain], grants)
        found = await check_key(connection, key)
    assert found is not None
    return key, Caller(found.owner, found.id, tuple(found.domains), found.grants)


def http(attack: Attack, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return httpx.AsyncClient(base_url=attack.address, headers=headers, timeout=60)


async def state_of(attack: Attack, services: Services) -> Any:
    """Return everything of the other owner that an attack might change."""
    async with http(attack, attack.victim) as own:
        thread = (await own.get(f"/threads/{attack.ids.thread}")).raise_for_status().json()
        runs = (await own.get(f"/threads/{attack.ids.thread}/runs")).json()
        stored = (await own.get("/store/items?namespace=n&key=note")).json()
    async with services.engine.connect() as connection:
        tables = ("hint", "recommendation", "item", "session")
        counts = [
            await connection.scalar(
                text(
                    f"SELECT count(*) FROM re2llm.{table} WHERE domain_id = "
                    "(SELECT id FROM re2llm.domain WHERE name = :name)"
                ),
                {"name": attack.ids.domain},
            )
            for table in tables
        ]
        rewards = await connection.scalar(text("SELECT count(*) FROM re2llm.feedback"))
    return thread["metadata"], thread["values"], len(runs), stored["value"], counts, rewards


@contextmanager
def watching(address: str) -> Iterator[list[float]]:
    """Ask a server for its health all the time, from a thread that waits for nothing else."""
    waits: list[float] = []
    over = threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            while not over.wait(0.01):
                started = time.perf_counter()
                client.get("/ok").raise_for_status()
                waits.append(time.perf_counter() - started)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join(60)


async def send(attack: Attack, sent: Sent, which: int) -> str:
    """Send one request, or run a graph; return what was wrong with the answer, or nothing."""
    if sent.graph:
        try:
            made = await run(GRAPHS[sent.graph], attack.callers[which], sent.given, sent.context)
        except (ValueError, NotImplementedError) as error:
            # LangChain itself refuses what is no message.
            return "" if sent.graph == "chat" else repr(error)
        said = repr(made)
        return leaks(said) or ("internal" if "'kind': 'internal'" in said else "")
    async with http(attack, attack.keys[which]) as client:
        answer = await client.request(
            sent.method, sent.path, content=sent.content, headers=sent.headers
        )
    if answer.status_code >= 500 or '"kind":"internal"' in answer.text:
        return f"{answer.status_code}: {answer.text[:300]}"
    if "x-foreign" in sent.headers and answer.status_code not in {401, 404}:
        return f"{answer.status_code} without a key"
    return leaks(answer.text)


def leaks(said: str) -> str:
    found = [
        secret for secret in (*SECRETS, "sk-very-secret") if secret.casefold() in said.casefold()
    ]
    return f"leaks {found}: {said[:300]}" if found else ""


async def storm(attack: Attack, batch: list[Sent]) -> None:
    wrong = await asyncio.gather(
        *(send(attack, sent, number % 2) for number, sent in enumerate(batch))
    )
    attack.wrong += [
        f"{what} <- {repr(sent)[:600]}" for sent, what in zip(batch, wrong, strict=True) if what
    ]


async def hold(attack: Attack, services: Services, waits: list[float]) -> None:
    """Check what all requests together may not have done."""
    assert attack.wrong == []
    assert await state_of(attack, services) == attack.state
    asked = -1
    while asked != len(attack.model.asked):
        asked = len(attack.model.asked)
        await asyncio.sleep(0.5)
    assert {one.body["model"] for one in attack.model.asked} <= {attack.name.split(":")[1]}
    spent = [await sums(services, caller) for caller in attack.callers]
    assert sum(requests for requests, _, _ in spent) == asked
    assert spent[0][0] <= CALLS_A_DAY
    assert spent[0][1] | spent[1][1] <= {attack.name}
    prompts = "\n".join(one.text for one in attack.model.asked).casefold()
    assert not any(secret.casefold() in prompts for secret in SECRETS)
    assert troubles(attack.log, "BlockingError", *attack.keys, attack.victim) == ""
    assert statistics.median(waits) < FROZEN
    assert statistics.quantiles(waits, n=50)[-1] < 5 * FROZEN


async def attack_with(
    attack: Attack, services: Services, batches: int, adjust: Callable[..., None]
) -> None:
    own_model(attack.model, adjust)
    adjust(model=attack.name)

    @settings(
        max_examples=batches,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(batch=st.lists(requests(attack.ids), min_size=AT_ONCE, max_size=AT_ONCE))
    def attempts(batch: list[Sent]) -> None:
        asyncio.run_coroutine_threadsafe(storm(attack, batch), loop).result()

    loop = asyncio.get_running_loop()
    with watching(attack.address) as waits:
        await asyncio.to_thread(attempts)
    await hold(attack, services, waits)


@pytest.mark.long
async def test_some_hostile_requests(
    attack: Attack, services: Services, adjust: Callable[..., None]
) -> None:
    await attack_with(attack, services, 20 // AT_ONCE, adjust)


DEEP = b"[" * 400 + b"]" * 400


@pytest.mark.parametrize("value", [b"1" + b"0" * 30, b'"a\\ud800b"', DEEP, b"NaN", b"1e999"])
async def test_what_cannot_be_written_again_is_refused(attack: Attack, value: bytes) -> None:
    message = b'{"messageId": "m", "role": "ROLE_USER", "parts": [{"data": %s}]}' % value
    bodies = {
        "/mcp": b'{"name": "recommend", "arguments": {"history": ["own-0"], "k": %s}}' % value,
        "/re2llm/mcp": b'{"name": "rate", "arguments": {"history": [], "item": %s}}' % value,
        f"/a2a/{attack.ids.chat}": b'{"message": %s}' % message,
    }
    async with http(attack, attack.keys[1]) as own:
        own.headers["accept"] = "application/json, text/event-stream"
        for path, params in bodies.items():
            method = b"SendMessage" if "a2a" in path else b"tools/call"
            body = b'{"jsonrpc": "2.0", "id": 1, "method": "%s", "params": %s}' % (method, params)
            answer = await own.post(path, content=body)
            assert answer.status_code < 500, (path, answer.text)
        run_ = b'{"assistant_id": "recommend", "input": {"history": ["own-0"], "k": %s}}' % value
        answer = await own.post("/runs/wait", content=run_)
        assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("webhook", ["https://example.com/", "http://10.0.0.1/", "/threads"])
async def test_a_key_cannot_name_a_webhook(webhook: str) -> None:
    # Asked directly, since the server itself would first look the address up.
    caller = Caller("attacker", "0" * 12, ("films",), Grants())
    asked = SimpleNamespace(user=User(caller.as_user()))
    with pytest.raises(Auth.exceptions.HTTPException) as refused:
        await create_run(asked, {"kwargs": {"webhook": webhook}})
    assert refused.value.status_code == 403
    assert await create_run(asked, {"kwargs": {"webhook": None}})


@pytest.mark.slow
async def test_a_thousand_hostile_requests(
    attack: Attack, services: Services, adjust: Callable[..., None]
) -> None:
    await attack_with(attack, services, 1000 // AT_ONCE, adjust)
