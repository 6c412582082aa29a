"""Provider batches: half the price, the same results, and nothing paid twice whatever happens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from batch_server import BatchServer, forwards
from fault_server import lettered, logprobs
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from ledger import booked
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.errors import BudgetSpentError, InputError, ModelDownError
from re2llm.llm.client.batches import BatchClient
from re2llm.llm.client.endpoint import Endpoint
from re2llm.llm.client.limits import Limits
from re2llm.llm.client.oversized import MOST_PARTS
from re2llm.operations.evaluation.evaluate import Evaluation, evaluate
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet
from re2llm.settings import Settings
from sqlalchemy import text

RE2LLM = Path(sys.executable).with_name("re2llm")
IDS = [film.id for film in load_films()]
COUNT = 8
SESSIONS = [Session(tuple(IDS[at : at + 2]), IDS[41], tuple(IDS[40:46])) for at in range(COUNT)]
REST = COUNT - 1
"""Of the questions, one is asked alone."""
Run = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer().running() as running:
        yield running


@pytest.fixture
def model() -> str:
    return f"openai:batched-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def run(server: BatchServer, adjust: Callable[..., None], films: str, model: str) -> Run:
    def settle(**changes: Any) -> Run:
        values = {
            "base_url": server.url,
            "api_key": SecretStr("sk-none"),
            "structured": "plain",
            "batch_poll": 0.02,
            "model_retries": 0,
            "prices": {model: (1000.0, 1000.0)},  # 0.12 a call
        }
        adjust(**{**values, **changes})

        async def ranked(**more: Any) -> Evaluation:
            context = {"domain": films, "model": model, "seed": 0, **more.pop("context", {})}
            return await evaluate(
                Context(**context),
                SESSIONS,
                **{"policies": ["none"], "baselines": [], "batch": True, **more},
            )

        return ranked

    return settle


async def stored(services: Services, model: str) -> list[Any]:
    async with services.engine.connect() as connection:
        query = text("SELECT * FROM re2llm.llm_batch WHERE model = :model ORDER BY id")
        return list(await connection.execute(query, {"model": model}))


def failing(*places: int, status: int = 500) -> Callable[[int], dict[str, Any] | None]:
    """Let these questions of the first batch fail."""
    left = set(places)

    def broken(place: int) -> dict[str, Any] | None:
        if place not in left:
            return None
        left.discard(place)
        body = {"error": {"message": "planned", "code": None}}
        return {"response": {"status_code": status, "body": body}}

    return broken


async def test_a_batch_answers_all_but_the_first_question_at_half_the_price(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    stages: list[tuple[str, int, int | None, str]] = []
    found = await run()(
        progress=lambda stage, done, total=None, note="": stages.append((stage, done, total, note))
    )
    assert (len(server.single), len(server.batches)) == (1, 1)
    questions = server.questions()
    assert len(questions) == REST
    single = {key: value for key, value in server.single[0].items() if key != "stream"}
    assert {(q["method"], q["url"]) for q in questions} == {("POST", "/v1/chat/completions")}
    assert all(q["body"].keys() == single.keys() for q in questions)
    rows = await booked(services, model)
    assert [row.outcome for row in rows] == ["ok"] * COUNT
    assert sorted(row.cost for row in rows) == pytest.approx([0.06] * REST + [0.12])
    assert sum(row.saved for row in rows) == pytest.approx(0.06 * REST)
    assert {(row.command, row.purpose) for row in rows} == {("evaluate", "rank")}
    assert found.document["cost"] == pytest.approx(0.12 + 0.06 * REST)
    assert found.rows[0].flags == {}
    told = [entry for entry in stages if entry[0] == "waiting for the batch"]
    assert [entry[3] for entry in told] == ["validating", "in_progress", "finalizing", "completed"]
    assert told[-1][1:3] == (REST, REST)
    again = await run()()
    assert (len(server.single), len(server.batches)) == (1, 1)
    assert again.document["cost"] == 0
    (batch,) = await stored(services, model)
    assert (batch.status, batch.command, len(batch.keys)) == ("completed", "evaluate", REST)
    assert batch.ended_at is not None
    assert server.deleted == server.files.keys()


@pytest.mark.long
async def test_the_results_are_those_of_single_calls(
    server: BatchServer, run: Run, model: str
) -> None:
    options = {"policies": ["none", "random"], "permutations": 2}
    batched = await run()(**options)
    sent = len(server.batches)
    single = await run()(context={"model": f"{model}-single"}, batch=False, **options)
    assert sent == len(server.batches) == 1
    for one, other in zip(batched.rows, single.rows, strict=True):
        assert (one.name, list(one.ranks)) == (other.name, list(other.ranks))
        assert one.rankings == other.rankings
    assert batched.document["orders"] == single.document["orders"]


async def test_lines_that_fail_are_asked_again_in_another_batch(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.broken = failing(0, 3)
    server.noise = 'no JSON\n[]\n{"custom_id": "zz"}\n{"custom_id": 5}\n{"custom_id": "00"}'
    found = await run()()
    assert [len(server.questions(place)) for place in (0, 1)] == [REST, 2]
    assert (len(server.single), found.rows[0].flags) == (1, {})
    outcomes = [row.outcome for row in await booked(services, model)]
    assert sorted(outcomes) == ["ok"] * COUNT + ["server_error"] * 2


async def test_what_no_batch_can_answer_is_asked_alone(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.broken = failing(1, status=400)
    found = await run()()
    assert (len(server.batches), len(server.single)) == (1, 2)
    assert found.rows[0].flags == {}
    assert "rejected" in [row.outcome for row in await booked(services, model)]


async def test_a_line_of_very_many_parts_is_not_read(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    said = {"role": "assistant", "content": '{"ranking": [1, 2, 3, 4, 5, 6]}'}
    message = {**said, "annotations": [[]] * MOST_PARTS}
    body = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    oversized = {"response": {"status_code": 200, "body": body}}
    server.broken = lambda place: oversized if place == 1 else None
    found = await run()()
    assert (len(server.batches), len(server.single)) == (1, 2)
    assert found.rows[0].flags == {}
    assert "unknown" in [row.outcome for row in await booked(services, model)]


async def test_a_file_of_very_many_lines_is_not_read(server: BatchServer, run: Run) -> None:
    server.noise = '{"custom_id": "00"}\n' * 10_000
    with pytest.raises(ModelDownError):
        await run()()


async def test_an_answer_of_the_wrong_form_is_asked_for_again_alone(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    babble = deque(["I cannot say."])
    server.answer = lambda body: babble.popleft() if server.batches and babble else forwards(body)
    found = await run()()
    assert (len(server.batches), len(server.single)) == (1, 2)
    assert found.rows[0].flags == {}
    outcomes = [row.outcome for row in await booked(services, model)]
    assert sorted(outcomes) == ["misshapen"] + ["ok"] * COUNT


async def test_what_an_expired_batch_did_not_reach_goes_into_another(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.ends.append("expired")
    server.reached = lambda place: place < 4
    found = await run()()
    assert [len(server.questions(place)) for place in (0, 1)] == [REST, REST - 4]
    assert (len(server.single), found.rows[0].flags) == (1, {})
    # What was not reached costs nothing, and is no call.
    assert len(await booked(services, model)) == COUNT
    assert [batch.status for batch in await stored(services, model)] == ["expired", "completed"]


async def test_a_batch_that_expired_unanswered_is_an_error_and_the_next_run_goes_on(
    server: BatchServer, run: Run
) -> None:
    server.ends.append("expired")
    server.reached = lambda _: False
    ranked = run()
    with pytest.raises(InputError, match=r"expired without an answer\. Run again"):
        await ranked()
    assert (await ranked()).rows[0].flags == {}
    assert (len(server.batches), len(server.single)) == (2, 1)


@pytest.mark.parametrize(("sessions", "ends"), [(1, False), (COUNT, True)])
async def test_one_prompt_that_is_declined_does_not_end_a_run(
    server: BatchServer, run: Run, monkeypatch: pytest.MonkeyPatch, sessions: int, *, ends: bool
) -> None:
    """A run again may have no other question left. If all are declined, the model is wrong."""
    monkeypatch.setattr(sys.modules[__name__], "SESSIONS", SESSIONS[:sessions])
    server.fails["POST /chat/completions"] = deque([400] * 1000)
    if ends:
        with pytest.raises(ModelDownError):
            await run()()
    else:
        assert (await run()()).rows[0].flags["model_failed"] == 1
    assert not server.batches


async def test_a_refused_batch_says_why(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.ends.append("failed")
    ranked = run()
    with pytest.raises(InputError, match=r"refused the batch \(token_limit_exceeded\)") as caught:
        await ranked()
    assert "sk-secret" not in str(caught.value)
    assert len(await booked(services, model)) == 1
    assert (await ranked()).rows[0].flags == {}


async def test_the_answers_of_a_cancelled_batch_are_kept(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.ends.append("cancelled")
    server.reached = lambda place: place < 4
    ranked = run()
    with pytest.raises(InputError, match="cancelled at the provider"):
        await ranked()
    assert len(await booked(services, model)) == 1 + 4
    assert (await ranked()).rows[0].flags == {}
    assert len(server.questions(1)) == REST - 4


@pytest.mark.parametrize("statuses", [[599], [503], [599, 503]], ids=str)
async def test_a_lost_confirmation_starts_no_second_batch(
    server: BatchServer, services: Services, run: Run, model: str, statuses: list[int]
) -> None:
    server.fails["POST /batches"] = deque(statuses)
    assert (await run()()).rows[0].flags == {}
    assert len(server.batches) == 1
    assert sum(name.startswith("file-") and name[5:].isdigit() for name in server.files) == 1
    (batch,) = await stored(services, model)
    assert (batch.status, batch.remote_id) == ("completed", "batch-0")


@pytest.mark.long
async def test_a_provider_that_is_away_for_a_while_is_waited_for(
    server: BatchServer, run: Run
) -> None:
    server.fails["GET /batches/ID"] = deque([503] * 4)
    server.fails["GET /files/ID/content"] = deque([503] * 4)
    assert (await run()()).rows[0].flags == {}
    assert len(server.batches) == 1


@pytest.mark.slow
async def test_a_provider_that_stays_away_ends_the_run_and_not_the_batch(
    server: BatchServer, run: Run
) -> None:
    server.fails["GET /batches/ID"] = deque([503] * 40)
    ranked = run()
    with pytest.raises(ModelDownError, match="run again to wait for it"):
        await ranked()
    assert (await ranked()).rows[0].flags == {}
    assert (len(server.batches), len(server.single)) == (1, 1)


async def test_a_batch_that_is_gone_is_an_error(server: BatchServer, run: Run) -> None:
    server.fails["GET /batches/ID"] = deque([404])
    ranked = run()
    with pytest.raises(InputError, match="batch"):
        await ranked()
    assert (await ranked()).rows[0].flags == {}


async def test_a_server_without_batches_is_named(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.fails["POST /files"] = deque([404] * 5)
    with pytest.raises(InputError, match=r"refuses batches\. Leave `batch` out"):
        await run()()
    assert not server.batches
    assert not await stored(services, model)


async def test_a_model_that_fails_is_sent_no_batch(server: BatchServer, run: Run) -> None:
    server.fails["POST /chat/completions"] = deque([401])
    with pytest.raises(ModelDownError, match="RE2LLM_API_KEY"):
        await run()()
    assert not server.files


async def test_the_way_of_asking_for_json_is_found_before_the_batch_is_sent(
    server: BatchServer, run: Run
) -> None:
    server.unsupported = {"json_schema", "json_object"}
    server.answer = lambda body: forwards(body) if "tools" not in body else "no"
    assert (await run(structured="auto")()).rows[0].flags == {}
    assert all("response_format" not in q["body"] for q in server.questions())


async def test_json_schema_goes_into_the_batch(server: BatchServer, run: Run) -> None:
    await run(structured="auto")()
    kinds = {q["body"]["response_format"]["type"] for q in server.questions()}
    assert kinds == {"json_schema"}
    assert all("ls_structured_output_format" not in q["body"] for q in server.questions())


async def test_a_limit_of_calls_holds_before_the_batch_is_sent(
    server: BatchServer, run: Run
) -> None:
    ranked = run()
    with pytest.raises(
        BudgetSpentError, match=r"The limit of 5 calls is reached\. 3 rankings are left"
    ):
        await ranked(max_llm_calls=5)
    assert len(server.questions()) == 4
    assert (await ranked(max_llm_calls=3)).rows[0].flags == {}
    assert [len(server.questions(place)) for place in (0, 1)] == [4, 3]
    assert len(server.single) == 1


@pytest.mark.long
async def test_a_limit_of_cost_holds_before_the_batch_is_sent(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    ranked = run(max_answer_tokens=20, concurrency=1)
    with pytest.raises(BudgetSpentError, match="max_cost"):
        await ranked(max_cost=0.4)
    rows = await booked(services, model)
    assert 0.4 <= sum(row.cost for row in rows) < 0.4 + 0.12
    assert all(len(server.questions(place)) <= 3 for place in range(len(server.batches)))


@pytest.mark.long
async def test_two_processes_share_one_batch(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    ranked = run()
    own = [await open_services(services.settings) for _ in range(2)]
    try:
        found = await asyncio.gather(
            *(ranked(context={"services": ServiceSet.of(some)}) for some in own)
        )
    finally:
        for some in own:
            await some.close()
    assert (len(server.batches), len(server.single)) == (1, 1)
    assert len(await booked(services, model)) == COUNT
    assert list(found[0].rows[0].ranks) == list(found[1].rows[0].ranks)


@pytest.mark.long
async def test_a_killed_run_waits_for_its_batch_when_it_is_run_again(
    server: BatchServer, services: Services, run: Run, films: str, model: str, tmp_path: Path
) -> None:
    file = tmp_path / "sessions.jsonl"
    rows = [
        {"history": one.history, "target": one.target, "candidates": one.candidates}
        for one in SESSIONS
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(api_key="sk-none", model=model)
    command = [RE2LLM, "evaluate", "--domain", films, "--sessions", file, "--policies", "none",
               "--baselines", "", "--batch", "--json", "-"]  # fmt: skip
    words = [str(word) for word in command]
    server.looks = 10**6
    killed = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: ASYNC220
    ends = time.monotonic() + 120
    while server.called.count("GET /batches/ID") < 3:
        assert time.monotonic() < ends
        assert killed.poll() is None, killed.communicate()
        await asyncio.sleep(0.05)
    killed.kill()
    killed.communicate()
    (batch,) = await stored(services, model)
    assert (batch.remote_id, batch.ended_at) == ("batch-0", None)
    server.looks = 0
    done = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["llm_calls"] == 0
    assert (len(server.batches), len(server.single)) == (1, 1)
    assert len(await booked(services, model)) == COUNT


async def test_a_batch_that_was_left_behind_is_booked_by_the_next_run(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    ranked = run()
    server.looks = 10**6
    waiting = asyncio.create_task(ranked())
    while "GET /batches/ID" not in server.called:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await ranked(batch=False)
    server.looks = 0
    await ranked()
    rows = await booked(services, model)
    assert len(rows) == COUNT + REST
    assert [row.ended_at is None for row in await stored(services, model)] == [False]


def test_a_model_of_the_responses_api_is_sent_no_batch(settings: Settings) -> None:
    model = ChatOpenAI(model="x", api_key=SecretStr("sk-none"), use_responses_api=True)
    client = BatchClient(Endpoint("openai:x", model, Limits(1, None), settings))
    with pytest.raises(InputError, match="Responses API"):
        client.question(b"key", [HumanMessage("Rank.")], None)


@pytest.mark.parametrize("change", [{"temperature": 0.5}, {"call_cache": False}], ids=str)
async def test_answers_that_are_not_kept_cannot_be_asked_ahead(
    server: BatchServer, run: Run, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="RE2LLM_TEMPERATURE"):
        await run(**change)()
    assert not server.called


async def test_a_model_in_this_process_needs_no_batch(server: BatchServer, run: Run) -> None:
    found = await run()(context={"model": "offline"})
    assert not server.called
    assert found.rows[0].llm_calls == COUNT


LETTERED = {"context": {"fuse": "learned", "prompt": "letters"}}


async def test_letters_come_in_batches(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    server.logprobs = lambda body: logprobs(
        {letter: -0.5 * (9 - n) for n, letter in enumerate(lettered(body))}
    )
    batched = await run()(**LETTERED)
    assert (len(server.single), len(server.batches)) == (1, 1)
    assert all(question["body"]["max_completion_tokens"] == 1 for question in server.questions())
    rows = await booked(services, model)
    assert [row.outcome for row in rows] == ["ok"] * COUNT
    assert all("logprobs" in row.answer for row in rows)
    context = {**LETTERED["context"], "model": f"{model}-single"}
    single = await run()(context=context, batch=False)
    assert [row.rankings for row in batched.rows] == [row.rankings for row in single.rows]


async def test_a_batch_asks_for_lists_where_there_are_no_letters(
    server: BatchServer, services: Services, run: Run, model: str
) -> None:
    found = await run()(**LETTERED)
    assert [bool(lettered(body)) for body in server.single] == [True, False]
    assert len(server.batches) == 1
    assert not any(lettered(question["body"]) for question in server.questions())
    outcomes = [row.outcome for row in await booked(services, model)]
    assert sorted(outcomes) == ["misshapen", *["ok"] * COUNT]
    assert found.rows[-1].flags == {"no_logprobs": COUNT}


async def test_a_batchs_code_does_not_repeat_the_key() -> None:
    key = "plain-words-of-a-key"
    model = ChatOpenAI(model="x", api_key=SecretStr(key))
    client = BatchClient(Endpoint("x", model, Limits(1, None), Settings()))
    for code, read in ((key, ""), ("token_limit_exceeded", "token_limit_exceeded")):
        batch: Any = SimpleNamespace(
            id="b",
            status="failed",
            request_counts=None,
            errors=SimpleNamespace(data=[SimpleNamespace(code=code)]),
            output_file_id=None,
            error_file_id=None,
        )
        client._client = SimpleNamespace(
            with_options=lambda batch=batch, **_: SimpleNamespace(
                batches=SimpleNamespace(retrieve=partial(soon, batch))
            )
        )
        assert (await client.look("b")).code == read


async def soon(value: Any, *_: Any) -> Any:
    return value
