"""Raters and teachers behind a server that fails, refuses and costs: nothing is lost."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from pydantic import SecretStr
from re2llm.cli import app
from re2llm.graph.rate import graph
from re2llm.runtime.context import Context
from typer.testing import CliRunner

GOOD = "<analyze user>u</analyze user><analyze item>i</analyze item><match>m</match><rate>3</rate>"
REQUEST: dict[str, Any] = {
    "item": {"title": "The River Keeper"},
    "history": [{"title": "Star Farm", "rating": 4}],
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(speak=lambda _: GOOD).running() as running:
        yield running


@pytest.fixture
def model(server: FaultServer, adjust: Callable[..., None]) -> str:
    name = f"openai:rater-{uuid.uuid4().hex[:8]}"
    adjust(
        base_url=server.url,
        api_key="sk-none",
        model_retries=2,
        concurrency=2,
        prices={name: [1000.0, 0.0]},  # 0.1 a call
    )
    return name


async def rate(model: str) -> dict[str, Any]:
    return await graph.ainvoke(REQUEST, context=Context(model=model))


async def test_retries_are_counted_and_a_paid_answer_is_not_paid_again(
    server: FaultServer, model: str, services: Any, adjust: Callable[..., None]
) -> None:
    adjust(api_key=SecretStr("sk-none"))
    server.play("500")
    first, again = await rate(model), await rate(model)
    assert (first["rating"], first["llm_calls"], again["llm_calls"]) == (3, 2, 0)
    assert len(server.asked) == 2


async def test_nonsense_is_never_served_from_the_cache(
    server: FaultServer, model: str, adjust: Callable[..., None]
) -> None:
    adjust(api_key=SecretStr("sk-none"))
    server.play("prose", "prose")
    assert (await rate(model))["flags"] == ["wrong_format", "fallback"]
    answer = await rate(model)
    assert (answer["rating"], answer["valid"], answer["flags"]) == (3, True, [])


@pytest.mark.long
async def test_a_repair_has_only_what_is_left_of_the_deadline(
    server: FaultServer, model: str, adjust: Callable[..., None]
) -> None:
    adjust(api_key=SecretStr("sk-none"), deadline=0.8, request_timeout=0.5)
    server.play("hang", "prose", *["hang"] * 9)
    answer = await rate(model)
    assert answer["flags"] == ["wrong_format", "timeout", "fallback"]
    assert answer["rating"] == 4


async def test_a_failure_says_why(
    server: FaultServer, model: str, adjust: Callable[..., None]
) -> None:
    adjust(api_key=SecretStr("sk-none"))
    server.play("401")
    assert (await rate(model))["flags"] == ["model_failed", "denied", "fallback"]


# Commands


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def traces(file: Path, model: str, *more: object) -> Any:
    return invoke(
        "rater", "traces", "--out", file, "--model", model, "--limit", 12, "--json", *more
    )


@pytest.mark.long
@pytest.mark.parametrize("limit", [("--max-llm-calls", 5), ("--max-cost", 0.5)])
def test_traces_stop_at_the_budget_and_go_on(
    server: FaultServer, model: str, tmp_path: Path, limit: tuple[str, float]
) -> None:
    file = tmp_path / "traces.jsonl"
    done = traces(file, model, *limit)
    assert done.exit_code == 0, done.stderr
    first = json.loads(done.stdout)
    assert 0 < first["left"] < 12
    assert 12 - first["left"] == file.read_text().count("\n")
    assert limit[0] in done.stderr
    assert f"{first['left']} ratings are left" in " ".join(done.stderr.split())
    assert first["llm_calls"] == len(server.asked) <= 6
    rest = json.loads(traces(file, model).stdout)
    assert rest["left"] == 0
    assert len({tuple(json.loads(row)[k] for k in ("user", "item"))
                for row in file.read_text().splitlines()}) == 12  # fmt: skip


def test_a_refused_prompt_does_not_stop_the_tracing(
    server: FaultServer, model: str, tmp_path: Path
) -> None:
    server.play("filtered", "filtered")
    done = traces(tmp_path / "traces.jsonl", model)
    outcome = json.loads(done.stdout)
    assert done.exit_code == 0
    assert outcome["left"] == 0
    assert outcome["rejected"] >= 1


def test_a_wrong_key_ends_the_tracing_with_the_remedy(
    server: FaultServer, model: str, tmp_path: Path
) -> None:
    server.play(*["401"] * 99)
    file = tmp_path / "traces.jsonl"
    done = traces(file, model)
    assert done.exit_code == 1
    assert "RE2LLM_API_KEY" in done.stderr
    assert "12 ratings are left" in done.stderr
    assert file.read_text() == ""
    assert len(server.asked) <= 10


def evaluate(model: str, *more: object) -> Any:
    return invoke(
        "rater",
        "evaluate",
        "--model",
        model,
        "--baselines",
        "",
        "--limit",
        10,
        "--json",
        "-",
        *more,
    )


@pytest.mark.long
def test_a_declined_rating_is_an_invalid_answer_and_silence_is_none(
    server: FaultServer, model: str, adjust: Callable[..., None]
) -> None:
    adjust(concurrency=1)
    server.play("500", "500", "500", "filtered")
    done = evaluate(model)
    assert done.exit_code == 1
    assert "1 rating is left" in done.stderr
    server.play("says " + GOOD, "filtered")  # the silent one, and the declined one once more
    done = evaluate(model)
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["llm_calls"], row["invalid"]) == (2, 0.1)


def test_evaluate_keeps_to_its_budget(server: FaultServer, model: str) -> None:
    done = evaluate(model, "--max-llm-calls", 4)
    assert done.exit_code == 1
    assert done.stderr.strip().startswith(
        "error: --max-llm-calls: The limit of 4 calls is reached. 6 ratings are left"
    )
    assert len(server.asked) == 4


def test_a_person_is_told_why_the_model_failed(server: FaultServer, model: str) -> None:
    server.play("404")
    done = invoke("rate", "--user", "person-1", "--item", "the river keeper", "--model", model)
    assert done.exit_code == 0
    assert "flags: model_failed, rejected, fallback" in done.stdout
    told = " ".join(done.stderr.split())
    assert "rejects the request. It said: No such model. Check the model's name" in told


@pytest.mark.long
def test_costs_name_the_command(server: FaultServer, model: str, tmp_path: Path) -> None:
    traces(tmp_path / "traces.jsonl", model)
    evaluate(model)
    rows = json.loads(invoke("costs", "--json").stdout)["rows"]
    assert {row["command"] for row in rows if row["model"] == model} == {
        "rater traces",
        "rater evaluate",
    }


TOO_LONG = {"error": {"code": "context_length_exceeded", "message": "The prompt is too long."}}


@pytest.mark.parametrize("most", [2_800, 10])
def test_a_prompt_that_is_too_long_is_shortened_or_invalid_and_never_ends_the_work(
    server: FaultServer, model: str, tmp_path: Path, adjust: Callable[..., None], most: int
) -> None:
    """One user writes long reviews; a model that reads 10 characters cannot be asked at all."""
    adjust(concurrency=1)
    refused: list[int] = []

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        length = sum(len(message["content"]) for message in body["messages"])
        refused.extend([length] if length > most else [])
        return (400, TOO_LONG) if length > most else None

    server.refuse = refuse
    reviews = tmp_path / "reviews.jsonl"
    rows = [
        {"user": f"u{n % 7}", "item": f"i{n // 7}", "rating": n % 5 + 1, "text": "so " * 3_000}
        if n % 7 == 1
        else {"user": f"u{n % 7}", "item": f"i{n // 7}", "rating": n % 5 + 1}
        for n in range(42)
    ]
    reviews.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = evaluate(model, "--reviews", reviews)
    if most == 10:
        assert done.exit_code == 1
        assert "RE2LLM_RATING_REVIEW_CHARACTERS" in done.stderr
        assert "RE2LLM_CANDIDATES" not in done.stderr
    else:
        assert done.exit_code == 0, done.stderr
        (row,) = json.loads(done.stdout)["rows"]
        assert row["invalid"] == 0
        assert min(refused) > most
    done = traces(tmp_path / "traces.jsonl", model, "--reviews", reviews)
    assert done.exit_code == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["left"] == 0
    assert refused
    assert (outcome.get("rejected", 0) == 12) == (most == 10)
