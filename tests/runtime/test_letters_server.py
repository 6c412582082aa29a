"""One letter over real HTTP: what is sent, what comes back, and lists where it does not work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import Body, FaultServer, backwards, error, lettered, logprobs
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.knowledge.log.logprobs import find_logprobs
from re2llm.ranking.orders import mean_scores
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text

IDS = [film.id for film in load_films()]
HISTORY, CANDIDATES = IDS[:3], IDS[10:40]
ONE_TOKEN: Body = {"usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}}
ASKED: dict[str, Any] = {
    "api_key": SecretStr("sk-none"),
    "model_retries": 1,
    "retry_pause": 0.01,
    "structured": "plain",
    "prompt": "letters",
    "call_cache": False,
}
Recommend = Callable[..., Any]


def speak(body: Body) -> str:
    return "A" if lettered(body) else backwards(body)


def last_first(body: Body) -> Body:
    """Prefer the letters from the last to the first."""
    letters = lettered(body)
    return logprobs({letter: -0.5 * (len(letters) - n) for n, letter in enumerate(letters)})


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(speak=speak, logprobs=last_first, more=ONE_TOKEN).running() as running:
        yield running


@pytest.fixture
def recommend(server: FaultServer, adjust: Callable[..., None], films: str) -> Recommend:
    adjust(**ASKED, base_url=server.url)
    model = f"openai:letters-{uuid.uuid4().hex[:8]}"

    async def ranked(**options: Any) -> dict[str, Any]:
        request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
        given = {"policy": "none", "model": model, "record": False, "fuse": "learned"}
        result = await graph.ainvoke(request, context=Context(**{**given, **options}))
        assert result["error"] is None
        assert sorted(result["ranking"]) == sorted(CANDIDATES)
        return {**result, "model": model}

    return ranked


async def spent(services: Services, model: str) -> tuple[int, int]:
    """Return tokens in and out by the ledger."""
    query = "SELECT sum(tokens_in), sum(tokens_out) FROM re2llm.llm_call WHERE model = :model"
    async with services.engine.connect() as connection:
        found = (await connection.execute(text(query), {"model": model})).one()
    return int(found[0]), int(found[1])


def in_letters(server: FaultServer) -> list[bool]:
    return [bool(lettered(asked.body)) for asked in server.asked]


async def test_one_token_ranks_twenty_candidates(
    server: FaultServer, recommend: Recommend, services: Services
) -> None:
    result = await recommend(hint="Prefer the most recent films.")
    body = server.asked[0].body
    assert (body["max_completion_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    assert "response_format" not in body
    assert lettered(body) == "ABCDEFGHIJKLMNOPQRST"
    prompt = body["messages"][-1]["content"].splitlines()
    assert prompt[-1] == "Hint: Prefer the most recent films."
    assert (result["flags"], result["llm_calls"]) == ([], 1)
    assert await spent(services, result["model"]) == (100, 1)
    async with services.engine.connect() as connection:
        assert await find_logprobs(connection, result["model"], server.url) is True
    # What the model says changes the order that the first stage has alone.
    alone = await recommend(fuse="first_stage")
    assert set(alone["ranking"][:20]) == set(result["ranking"][:20])
    assert alone["ranking"][:20] != result["ranking"][:20]
    assert alone["ranking"][20:] == result["ranking"][20:]


LEFT_OUT: dict[str, Callable[[Body], Any] | None] = {
    "missing": None,
    "null": lambda _: None,
    "null content": lambda _: {"content": None},
    "empty list": lambda _: {"content": []},
    "no alternatives": lambda _: {"content": [{"token": "A", "logprob": 0, "top_logprobs": []}]},
    "no letter": lambda _: logprobs({"<think>": -0.1, "Okay": -2.0}),
}


@pytest.mark.parametrize("case", LEFT_OUT)
async def test_without_log_probabilities_it_asks_for_lists_from_then_on(
    server: FaultServer, recommend: Recommend, services: Services, case: str
) -> None:
    server.logprobs = LEFT_OUT[case]
    first = await recommend()
    assert in_letters(server) == [True, False]
    assert (first["flags"], first["llm_calls"]) == (["no_logprobs"], 2)
    # The answer without log-probabilities was paid, too.
    assert await spent(services, first["model"]) == (200, 2)
    second = await recommend()
    assert in_letters(server) == [True, False, False]
    assert (second["flags"], second["llm_calls"]) == (["no_logprobs"], 1)
    assert second["ranking"] == first["ranking"]
    options = await resolve_context(Context(model=first["model"], fuse="learned"))
    assert options.prompt_version == "rank-4/best-20"
    async with services.engine.connect() as connection:
        kept = await find_logprobs(connection, first["model"], server.url)
    # That a model thinks first may have been chance.
    assert kept is (None if case == "no letter" else False)


REFUSALS = [
    (400, error("logprobs is not supported by this model")),
    (400, error("Unsupported parameter: 'top_logprobs'")),
    (400, error("bad request")),
    (400, {"detail": "Sorry."}),
    (400, b"nope"),
    (422, {"detail": [{"loc": ["body", "logprobs"], "msg": "Extra inputs are not permitted"}]}),
    (404, error("No endpoints found that support the requested parameters")),
    (501, error("not implemented")),
    (500, error("Internal error: logits_all must be set")),
    (400, error("max_tokens must be at least 16")),
    (400, error("Could not finish the message because max_tokens was reached")),
    (200, {"error": {"message": "logprobs: not available", "code": 400}}),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[str(body)[:60] for _, body in REFUSALS])
async def test_a_server_that_refuses_is_asked_for_lists(
    server: FaultServer, recommend: Recommend, refusal: tuple[int, Any]
) -> None:
    server.refuse = lambda body: refusal if "logprobs" in body else None
    hint = "Prefer the most recent films."
    first = await recommend(hint=hint)
    assert first["flags"] == ["no_logprobs"]
    refused = in_letters(server).count(True)
    assert refused <= 2
    assert first["llm_calls"] == len(server.asked) == refused + 1
    assert server.asked[-1].body["messages"][-1]["content"].endswith(f"Hint: {hint}")
    second = await recommend(hint=hint)
    assert (second["flags"], second["llm_calls"]) == (["no_logprobs"], 1)
    assert second["ranking"] == first["ranking"]


async def test_a_server_that_knows_the_old_limit_only(
    server: FaultServer, recommend: Recommend
) -> None:
    def old(body: Body) -> Any:
        if "max_completion_tokens" in body:
            return 422, error("max_completion_tokens: Extra inputs are not permitted")
        return None

    server.refuse = old
    assert (await recommend())["flags"] == []
    assert (await recommend())["llm_calls"] == 1
    assert [asked.body.get("max_tokens") for asked in server.asked] == [None, 1, 1]


async def test_a_refused_temperature_or_system_role_is_no_lack_of_letters(
    server: FaultServer, recommend: Recommend
) -> None:
    def picky(body: Body) -> Any:
        if "temperature" in body:
            return 400, error("Unsupported value: 'temperature' does not support 0")
        if body["messages"][0]["role"] == "system":
            return 400, error("System role not supported")
        return None

    server.refuse = picky
    assert (await recommend())["flags"] == []
    assert all(in_letters(server))


@pytest.mark.parametrize("fault", ["401", "429 for an hour", "quota", "404"])
async def test_a_server_in_trouble_proves_nothing(
    server: FaultServer, recommend: Recommend, fault: str
) -> None:
    server.play(fault, fault)
    failed = await recommend()
    assert "model_failed" in failed["flags"]
    assert "no_logprobs" not in failed["flags"]
    server.clear()
    assert (await recommend())["flags"] == []
    assert in_letters(server)[-1]


async def test_once_it_has_worked_a_single_miss_is_only_flagged(
    server: FaultServer, recommend: Recommend
) -> None:
    await recommend()
    server.logprobs = lambda _: logprobs({"The": -0.1})
    missed = await recommend()
    assert missed["flags"] == ["wrong_format", "missing", "completed"]
    assert missed["llm_calls"] == 1
    alone = await recommend(fuse="first_stage")
    assert missed["ranking"] == alone["ranking"]
    server.logprobs = last_first
    assert (await recommend())["flags"] == []
    server.logprobs = None
    flags = [(await recommend())["flags"] for _ in range(4)]
    assert flags[0] == flags[1] == ["wrong_format", "missing", "completed"]
    assert flags[2] == flags[3] == ["no_logprobs"]


async def test_letters_that_a_server_refuses_from_now_on_are_asked_for_no_more(
    server: FaultServer, recommend: Recommend
) -> None:
    await recommend()
    refusal = error("This model does not support logprobs")
    server.refuse = lambda body: (400, refusal) if "logprobs" in body else None
    assert [(await recommend())["flags"] for _ in range(2)] == [["no_logprobs"]] * 2
    assert in_letters(server) == [True, True, False, False]


async def test_letters_are_given_up_after_three_vague_refusals(
    server: FaultServer, recommend: Recommend
) -> None:
    await recommend()
    server.refuse = lambda body: (400, error("Bad request")) if "logprobs" in body else None
    flags = [(await recommend())["flags"] for _ in range(4)]
    assert all("model_failed" in one for one in flags[:2])
    assert flags[2] == flags[3] == ["no_logprobs"]


async def test_thoughts_before_the_letter(server: FaultServer, recommend: Recommend) -> None:
    plain = await recommend()
    server.logprobs = lambda body: {
        "content": [
            *({"token": t, "logprob": 0.0, "top_logprobs": [{"token": "A", "logprob": 0.0}]}
              for t in ("<think>", "A", "?", "</think>")),
            *last_first(body)["content"],
        ]
    }  # fmt: skip
    thought = await recommend()
    assert (thought["flags"], thought["ranking"]) == ([], plain["ranking"])


async def test_auto_waits_for_the_doctor(
    server: FaultServer, recommend: Recommend, services: Services
) -> None:
    first = await recommend(prompt="auto")
    assert in_letters(server) == [False]
    assert first["flags"] == []
    await services.models.note_logprobs(first["model"], given=True)
    await recommend(prompt="auto")
    assert in_letters(server) == [False, True]


async def test_the_model_alone_ranks_lists(server: FaultServer, recommend: Recommend) -> None:
    """Paper mode shows all candidates, and there may be more than letters."""
    result = await recommend(fuse="llm")
    assert in_letters(server) == [False]
    assert result["flags"] == []


async def test_several_orders_take_the_mean(
    server: FaultServer, recommend: Recommend, services: Services
) -> None:
    result = await recommend(orders=4)
    assert (result["llm_calls"], result["flags"]) == (4, [])
    assert all(in_letters(server))
    assert await spent(services, result["model"]) == (400, 4)


def test_the_mean_of_several_orders_is_in_the_original_order() -> None:
    first, second = ([-1.0, -2.0, -3.0], [1, 2, 3]), ([-4.0, -1.0, -2.0], [3, 1, 2])
    assert mean_scores([first, second]) == [-1.0, -2.0, -3.5]
    assert mean_scores([]) == []


async def test_several_orders_fall_back_together(server: FaultServer, recommend: Recommend) -> None:
    server.logprobs = None
    result = await recommend(orders=3)
    assert result["flags"] == ["no_logprobs"]
    assert result["llm_calls"] == len(server.asked)
    # In which order the requests of the three arrive is open.
    assert sorted(in_letters(server)) == [False] * 3 + [True] * 3


async def test_the_call_cache_answers_letters(
    server: FaultServer, recommend: Recommend, adjust: Callable[..., None], services: Services
) -> None:
    adjust(**{**ASKED, "base_url": server.url, "call_cache": True})
    first, second = await recommend(), await recommend()
    assert (len(server.asked), second["llm_calls"]) == (1, 0)
    assert second["ranking"] == first["ranking"]
    async with services.engine.connect() as connection:
        query = text("SELECT outcome, tokens_out FROM re2llm.llm_call WHERE model = :model")
        rows = list(await connection.execute(query, {"model": first["model"]}))
    assert rows == [("ok", 1)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("value", "usage"),
    [(-(10**400), 100), (-1e308, 10**30), (None, -(10**6)), ([-1.0], 0)],
    ids=["long", "large", "none", "list"],
)
async def test_strange_numbers_of_a_server_harm_nothing(
    server: FaultServer, recommend: Recommend, services: Services, value: Any, usage: int
) -> None:
    def strange(body: Body) -> Any:
        held = last_first(body)
        top = held["content"][0]["top_logprobs"]
        top += [{"token": "A", "logprob": value}] + [{"token": "?", "logprob": -9.0}] * 50_000
        return held

    server.logprobs = strange
    server.more = {"usage": {"prompt_tokens": usage, "completion_tokens": 1, "total_tokens": 1}}
    result = await recommend()
    tokens_in, _ = await spent(services, result["model"])
    assert 0 <= tokens_in <= 10**9
