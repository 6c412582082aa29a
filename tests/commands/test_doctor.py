"""`re2llm doctor` against good servers and bad ones: what it finds, and what it says to do."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Body, FaultServer, completion, error
from langchain_core.messages import AIMessage
from pydantic import SecretStr
from re2llm.cli import app
from re2llm.errors import Failure, ModelDownError
from re2llm.knowledge.log.logprobs import find_logprobs
from re2llm.llm.client.probes import cached_tokens
from re2llm.llm.client.reflecting_settings import in_reflecting_settings
from re2llm.operations.accounts.costs import costs
from re2llm.operations.doctor import doctor, model_checks
from re2llm.operations.doctor.diagnosis import Diagnosis
from re2llm.operations.doctor.doctor import diagnose
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.settings import Settings, get_settings
from sqlalchemy import text
from typer.testing import CliRunner

KEY = "sk-secret-1234567890"
PROBED = ["model", "key", "json", "tools", "logprobs", "prompt cache"]
LOCAL = ["settings", "database", "catalogue", "release", "encoder"]

Examine = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def examine(
    server: FaultServer,
    films: str,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Examine:
    async def examined(key: str = KEY, **settings: Any) -> Diagnosis:
        monkeypatch.setenv("RE2LLM_API_KEY", key)
        adjust(**{"base_url": server.url, "model": "openai:some-model", **settings})
        return await diagnose(Context(domain=films))

    return examined


def by_name(found: Diagnosis) -> dict[str, Any]:
    return {check.name: check for check in found.checks}


def able(body: Body) -> tuple[int, Body] | None:
    """Play a server that can do everything."""
    if "candidates" in str(body["messages"]):
        return None
    message: Body = {"role": "assistant", "content": "7"}
    if "tools" in body:
        call = {"name": body["tools"][0]["function"]["name"], "arguments": '{"titles": []}'}
        message["tool_calls"] = [{"id": "1", "type": "function", "function": call}]
    answer = completion(message)
    top = [{"token": str(n), "logprob": -1.0, "bytes": None} for n in range(20)]
    if body.get("logprobs"):
        token = {"token": "7", "logprob": -0.1, "bytes": None, "top_logprobs": top}
        answer["choices"][0]["logprobs"] = {"content": [token]}
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 1920}
    return 200, answer


async def test_a_server_that_can_do_everything(server: FaultServer, examine: Examine) -> None:
    server.refuse = able
    found = await examine()
    assert found.ok
    assert [check.name for check in found.checks] == [*LOCAL, *PROBED]
    assert {check.status for check in found.checks if check.name in PROBED} == {"ok"}
    assert found.llm_calls == len(server.asked) == 6
    checks = by_name(found)
    assert "json_schema" in checks["json"].found
    assert "20" in checks["logprobs"].found
    assert "1,920" in checks["prompt cache"].found
    assert KEY not in found.model_dump_json()


async def test_a_server_that_can_do_little(server: FaultServer, examine: Examine) -> None:
    def little(body: Body) -> tuple[int, Body] | None:
        for name in ("tools", "response_format", "logprobs", "temperature"):
            if name in body:
                return 400, error(f"{name} is not supported here")
        system = body["messages"][0]["role"] == "system"
        return (400, error("System role not supported")) if system else None

    server.refuse = little
    found = await examine()
    checks = by_name(found)
    assert found.ok
    assert checks["json"].status == "ok"
    assert "plain" in checks["json"].found
    for name in ("tools", "logprobs"):
        assert checks[name].status == "note"
        assert "is not supported here" in checks[name].found
    assert checks["tools"].remedy
    assert checks["options"].found.startswith("the server refuses ")
    assert "system role, temperature" in checks["options"].found
    assert found.llm_calls == len(server.asked)


async def test_what_a_server_wants_is_told_as_no_refusal_of_it(
    server: FaultServer, examine: Examine
) -> None:
    def streams_only(body: Body) -> tuple[int, Body] | None:
        return None if body.get("stream") else (400, error("Stream must be set to true"))

    server.refuse = streams_only
    told = by_name(await examine())["options"]
    assert told.found == "the server wants answers in parts; re2llm asks so"


async def test_it_announces_the_calls_that_it_may_make(
    server: FaultServer, examine: Examine
) -> None:
    def worst(body: Body) -> tuple[int, Body] | None:
        for name in ("temperature", "max_completion_tokens", "response_format", "tools"):
            if name in body:
                return 400, error(f"{name} is not supported here")
        system = body["messages"][0]["role"] == "system"
        return (400, error("System role not supported")) if system else None

    server.refuse, server.speak = worst, lambda _: "Nothing that could be read."
    found = await examine(max_answer_tokens=50, reflect_model="openai:another")
    said = model_checks.announced_calls(get_settings(), Context())
    assert "openai:some-model and openai:another up to " in said
    assert 7 < found.llm_calls <= int(said.split("up to ")[1].split()[0])


@pytest.mark.parametrize("prompt", ["json", "letters", "auto"])
async def test_it_says_how_rankings_are_asked_for_and_remembers_what_works(
    server: FaultServer, examine: Examine, services: Services, prompt: str
) -> None:
    server.refuse = able
    settings = {"fuse": "learned", "prompt": prompt, "model": f"openai:{prompt}-model"}
    found = by_name(await examine(**settings))["logprobs"].found
    in_letters = "asked for as one letter (letters-2)" in found
    assert in_letters == (prompt != "json")
    assert server.asked[-3].body["max_completion_tokens"] == 1
    async with services.engine.connect() as connection:
        assert await find_logprobs(connection, str(settings["model"]), server.url) is True
    server.refuse = lambda body: (400, error("no logprobs")) if "logprobs" in body else able(body)
    check = by_name(await examine(**settings))["logprobs"]
    assert (check.status, "asked for as lists (rank-4)" in check.found) == ("note", True)
    async with services.engine.connect() as connection:
        assert await find_logprobs(connection, str(settings["model"]), server.url) is False


async def test_an_outage_during_the_probe_proves_nothing(
    server: FaultServer, examine: Examine, services: Services
) -> None:
    server.refuse = lambda body: (429, error("slow")) if "logprobs" in body else able(body)
    check = by_name(await examine(model="openai:slow-model"))["logprobs"]
    assert (check.status, check.remedy) == ("note", "Run it again.")
    assert "not supported" not in check.found
    async with services.engine.connect() as connection:
        assert await find_logprobs(connection, "openai:slow-model", server.url) is None


@pytest.mark.parametrize(
    ("answer", "name", "words"),
    [
        ((401, error(f"Incorrect API key provided: {KEY}")), "key", "RE2LLM_API_KEY"),
        ((403, error("Your plan has ended")), "key", "Your plan has ended"),
        ((200, {"error": {"message": "No credits", "code": 402}}), "key", "No credits"),
        ((404, error("model 'x' not found")), "model", "RE2LLM_MODEL"),
        ((404, b"<html>404 page not found</html>"), "model", "page not found"),
        ((500, error("It broke")), "model", "It broke"),
        ((429, error("Slow down")), "model", "Slow down"),
        ((200, b"<html>Welcome</html>"), "model", "RE2LLM_BASE_URL"),
    ],
)
async def test_what_is_wrong_is_named_with_what_to_do(
    server: FaultServer, examine: Examine, answer: tuple[int, Any], name: str, words: str
) -> None:
    server.refuse = lambda _: answer
    found = await examine()
    check = by_name(found)[name]
    assert not found.ok
    assert check.status == "failed"
    assert words in f"{check.found} {check.remedy}"
    assert check.remedy
    assert KEY not in found.model_dump_json()
    assert {by_name(found)[one].status for one in PROBED[2:]} == {"skipped"}
    # No other failure tells whether the key was even looked at.
    assert by_name(found)["key"].status == ("failed" if name == "key" else "skipped")
    assert len(server.asked) == 1


def silent(finish: str = "stop", **message: Any) -> Callable[[Body], tuple[int, Body]]:
    """Play a model that never says a word."""
    return lambda _: (200, completion({"role": "assistant", "content": None, **message}, finish))


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (silent("length", reasoning_content="The user wants"), "RE2LLM_MAX_ANSWER_TOKENS"),
        (silent("length"), "RE2LLM_MAX_ANSWER_TOKENS"),
        (silent("length", content="<think>The user wants"), "RE2LLM_MAX_ANSWER_TOKENS"),
        (silent(), "RE2LLM_BASE_URL"),
        (silent(content=" \n"), "RE2LLM_BASE_URL"),
        (silent("content_filter"), ""),
        (silent(refusal="I cannot help with that."), ""),
    ],
)
async def test_a_model_that_never_says_a_word_fails(
    server: FaultServer, examine: Examine, answer: Any, remedy: str
) -> None:
    server.refuse = able
    with FaultServer().running() as mute:
        mute.refuse = answer
        own = {"reflect_model": "openai:mute", "reflect_base_url": mute.url}
        reflects = by_name(await examine(**own))
        server.refuse = answer
        found = await examine()
    assert not found.ok
    checks = by_name(found)
    for check in (checks["model"], reflects["reflecting model"]):
        assert check.status == "failed"
        assert check.remedy
        assert remedy.replace("BASE_URL", "") in check.remedy
    assert {checks[one].status for one in PROBED[2:]} == {"skipped"}
    assert len(server.asked) == 7


@pytest.mark.parametrize("finish", ["stop", "length"])
async def test_a_model_that_says_nothing_to_a_ranking_fails(
    server: FaultServer, examine: Examine, finish: str
) -> None:
    mute = silent(finish, reasoning_content="Perhaps")
    server.refuse = lambda body: mute(body) if "candidates" in str(body["messages"]) else able(body)
    found = await examine()
    check = by_name(found)["json"]
    assert (found.ok, check.status) == (False, "failed")
    assert ("RE2LLM_MAX_ANSWER_TOKENS" in check.remedy) == (finish == "length")


async def test_an_answer_that_its_server_takes_for_thoughts_is_one(
    server: FaultServer, examine: Examine
) -> None:
    def parsed(body: Body) -> tuple[int, Body] | None:
        if "candidates" in str(body["messages"]):
            return silent(reasoning_content='{"ranking": [3, 2, 1]}')(body)
        return silent(reasoning_content="yes")(body)

    server.refuse = parsed
    found = await examine()
    assert found.ok
    assert (by_name(found)["model"].status, by_name(found)["json"].status) == ("ok", "ok")


async def test_a_url_without_its_path_is_named(server: FaultServer, examine: Examine) -> None:
    server.refuse = lambda _: (404, {"detail": "Not Found"})
    found = by_name(await examine())
    assert found["model"].remedy.endswith("RE2LLM_BASE_URL: it mostly ends in /v1.")
    assert found["key"].status == "skipped"


async def test_a_server_that_is_not_there(examine: Examine) -> None:
    found = await examine(base_url="http://127.0.0.1:9/v1")
    checks = by_name(found)
    assert not found.ok
    assert checks["model"].status == "failed"
    assert "RE2LLM_BASE_URL" in checks["model"].remedy
    assert checks["key"].status == "skipped"


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_a_server_that_never_answers_is_not_waited_for(
    server: FaultServer, examine: Examine, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(model_checks, "_PATIENCE", 0.5)
    server.play(*[fault] * 20)
    started = time.monotonic()
    found = await examine()
    assert time.monotonic() - started < 15
    assert not found.ok
    assert "in time" in by_name(found)["model"].found


@pytest.mark.long
@pytest.mark.parametrize("seconds", [None, 30])
async def test_a_slow_server_is_waited_for_as_long_as_the_settings_say(
    server: FaultServer,
    examine: Examine,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
) -> None:
    def slow(body: Body) -> tuple[int, Body] | None:
        if len(str(body["messages"])) > 4_000:  # the prompt of the cache's probe
            time.sleep(2)
        return able(body)

    monkeypatch.setattr(model_checks, "_PATIENCE", 1)
    server.refuse = slow
    found = await examine(**({"request_timeout": seconds} if seconds else {}))
    check = by_name(found)["prompt cache"]
    assert check.status == ("ok" if seconds else "note")
    assert ("RE2LLM_REQUEST_TIMEOUT" in check.remedy) == (seconds is None)


async def test_a_key_that_cannot_be_sent(server: FaultServer, examine: Examine) -> None:
    found = await examine(key="sk-sec ret")
    assert not found.ok
    assert "RE2LLM_API_KEY" in by_name(found)["model"].found
    assert not server.asked


async def test_another_reflecting_model_is_asked_too(server: FaultServer, examine: Examine) -> None:
    server.refuse = able
    found = await examine(reflect_model="openai:another")
    assert by_name(found)["reflecting model"].status == "ok"
    assert found.llm_calls == len(server.asked) == 7


async def test_a_failing_reflecting_model_is_told_by_its_own_settings(
    server: FaultServer, examine: Examine
) -> None:
    with FaultServer().running() as its_own:
        its_own.refuse = lambda _: (401, error("Incorrect key"))
        server.refuse = able
        url, key = its_own.url, SecretStr("sk-another-1234567890")
        named = {"reflect_model": "openai:another", "reflect_base_url": url}
        checks = by_name(await examine(**named, reflect_api_key=key.get_secret_value()))
        assert "Check RE2LLM_REFLECT_API_KEY" in checks["reflecting key"].remedy
    gone = by_name(await examine(**named))
    assert "Check RE2LLM_REFLECT_BASE_URL" in gone["reflecting model"].remedy
    assert gone["model"].status == "ok"


@pytest.mark.parametrize("failure", list(Failure))
def test_what_the_reflecting_model_has_of_its_own_is_named_in_every_remedy(
    failure: Failure,
) -> None:
    remedy = ModelDownError("openai:another", failure).remedy
    own = Settings(reflect_base_url="http://reflects/v1", reflect_api_key=SecretStr("sk-another"))
    told = in_reflecting_settings(remedy, own, named=True)
    assert not re.search(r"RE2LLM_(MODEL|BASE_URL|API_KEY)\b", told)
    assert in_reflecting_settings(remedy, Settings(), named=False) == remedy


async def booked(services: Services, model: str) -> list[Any]:
    async with services.engine.connect() as connection:
        sql = text(
            "SELECT command, outcome, requests, tokens_in, cost FROM re2llm.llm_call "
            "WHERE model = :model ORDER BY id"
        )
        return [tuple(row) for row in await connection.execute(sql, {"model": model})]


async def test_the_ledger_has_every_call(
    server: FaultServer, examine: Examine, services: Services
) -> None:
    model = f"openai:probed-{uuid.uuid4().hex[:8]}"
    server.refuse = able
    found = await examine(model=model, prices={model: [10.0, 50.0]})
    calls = await booked(services, model)
    assert calls == [("doctor", "ok", 1, 100, pytest.approx(0.002))] * 6
    assert found.llm_calls == 6
    summed = await costs(Context(), days=1)
    (row,) = [row for row in summed.rows if row.model == model]
    assert (row.command, row.llm_calls, row.tokens_in) == ("doctor", 6, 600)


async def test_calls_that_fail_are_booked_with_all_their_requests(
    server: FaultServer, examine: Examine, services: Services
) -> None:
    model = f"openai:probed-{uuid.uuid4().hex[:8]}"
    server.refuse = lambda b: (400, error("temperature and tools are not supported"))
    await examine(model=model)
    calls = await booked(services, model)
    assert [(row[0], row[1]) for row in calls] == [("doctor", "rejected")]
    assert sum(row[2] for row in calls) == len(server.asked) > 1


async def test_the_day_of_a_key_counts_the_calls_and_ends_them(
    server: FaultServer, films: str, examine: Examine, keyed: Callable[..., Any]
) -> None:
    server.refuse = able
    await examine(model="offline")
    caller = await keyed(calls_per_day=3, models=["openai:some-model"])
    found = await diagnose(Context(domain=films, model="openai:some-model", caller=caller))
    assert not found.ok
    assert found.llm_calls == len(server.asked) == 3
    assert "calls_per_day" in by_name(found)["model"].found


@pytest.mark.long
async def test_without_a_database_the_model_is_checked_all_the_same(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = able
    monkeypatch.setenv("RE2LLM_DATABASE_URL", "postgresql://me@127.0.0.1:9/nowhere")
    monkeypatch.setenv("RE2LLM_API_KEY", KEY)
    monkeypatch.setenv("RE2LLM_BASE_URL", server.url)
    command = [sys.executable, "-m", "re2llm", "doctor", "--model", "openai:some-model", "--json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    found = Diagnosis.model_validate_json(done.stdout)
    checks = by_name(found)
    assert (done.returncode, found.ok, checks["database"].status) == (1, False, "failed")
    assert {checks[name].status for name in PROBED} == {"ok"}
    assert found.llm_calls == len(server.asked) == 6


async def test_a_database_that_is_lost_on_the_way_stops_no_probe(
    server: FaultServer, examine: Examine, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = able

    def lost(*_: Any, **__: Any) -> Any:
        raise OSError("gone")

    monkeypatch.setattr("re2llm.runtime.ledger.book_call", lost)
    found = await examine(model=f"openai:probed-{uuid.uuid4().hex[:8]}")
    assert found.ok
    assert found.llm_calls == len(server.asked) == 6


async def test_the_offline_model_needs_no_server(examine: Examine, server: FaultServer) -> None:
    found = await examine(model="offline")
    assert found.ok
    assert [check.name for check in found.checks] == [*LOCAL, "model"]
    assert (found.llm_calls, len(server.asked)) == (0, 0)


async def test_the_settings_say_where_they_come_from(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("RE2LLM_SEED=3\nRE2LLM_MODEL=openai:x\nRE2LLM_BASEURL=y\n")
    found = await examine(model="offline")
    rows = {one.name: (one.value, one.source) for one in found.settings}
    assert rows["RE2LLM_SEED"] == ("3", ".env")
    assert rows["RE2LLM_MODEL"] == ("offline", "environment")
    assert rows["RE2LLM_API_KEY"] == ("set (…90)", "environment")
    assert rows["RE2LLM_DATABASE_URL"] == ("unset", "default")
    check = by_name(found)["settings"]
    assert (check.status, "RE2LLM_BASEURL" in check.found) == ("note", True)


async def test_settings_that_cannot_be_read_are_the_finding(examine: Examine) -> None:
    found = await examine(candidates="many")
    assert not found.ok
    assert [check.name for check in found.checks] == ["settings"]
    assert "RE2LLM_CANDIDATES" in found.checks[0].found


async def test_a_model_that_cannot_be_made_is_named_as_it_was_asked_for() -> None:
    asked = ["doctor", "--no-calls", "--model", "none:x"]
    shown = (await asyncio.to_thread(CliRunner().invoke, app, asked)).stdout
    assert "--model: The model 'none:x' cannot be created" in shown
    found = await diagnose(Context(model="none:x"), ask_model=False)
    assert by_name(found)["model"].found.startswith("`model`: The model 'none:x'")


async def test_a_server_that_cannot_be_called_is_found_without_a_call(
    adjust: Callable[..., None], services: Services
) -> None:
    adjust(model="openai:x", api_key="key", base_url="localhost:1/v1")
    found = await diagnose(Context(), ask_model=False)
    check = by_name(found)["model"]
    assert (found.ok, found.llm_calls, check.status) == (False, 0, "failed")
    assert "RE2LLM_BASE_URL" in check.found


async def test_a_catalogue_that_is_not_loaded_is_a_note(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await examine(model="offline")
    found = await diagnose(Context(domain="no-such"), ask_model=False)
    check = by_name(found)["catalogue"]
    assert (found.ok, check.status) == (True, "note")
    assert "re2llm load" in check.remedy


def test_the_command_prints_one_screen_and_ends_with_the_code(
    monkeypatch: pytest.MonkeyPatch, adjust: Callable[..., None]
) -> None:
    adjust(model="openai:x")

    def found(ok: bool) -> Diagnosis:
        checks = [
            {"name": "model", "status": "ok" if ok else "failed", "found": "it", "remedy": "Do."}
        ]
        value = {"name": "RE2LLM_SEED", "value": "3", "source": ".env"}
        return Diagnosis.model_validate(
            {"ok": ok, "settings": [value], "checks": checks, "llm_calls": 6}
        )

    for ok in (True, False):

        async def examined(*_: Any, ok: bool = ok, **__: Any) -> Diagnosis:
            return found(ok)

        monkeypatch.setattr(doctor, "diagnose", examined)
        done = CliRunner().invoke(app, ["doctor"])
        assert done.exit_code == (0 if ok else 1)
        assert "times, usually 6, with" in done.stderr
        assert "RE2LLM_SEED  3  (.env)" in done.stdout
        assert "-> Do." in done.stdout
        assert "Model calls made: 6" in done.stdout
        as_json = CliRunner().invoke(app, ["doctor", "--json", "--no-calls"])
        assert as_json.exit_code == done.exit_code
        assert json.loads(as_json.stdout)["ok"] is ok
        assert "usually 6" not in as_json.stderr


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 5}}, 5),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, 0),
        ({"prompt_cache_hit_tokens": 7, "prompt_cache_miss_tokens": 1}, 7),
        ({"cache_read_input_tokens": 9}, 9),
        ({"prompt_tokens_details": None}, None),
        ({"prompt_tokens": 3}, None),
    ],
)
def test_cached_tokens_are_read_as_each_provider_writes_them(
    usage: dict[str, Any], cached: int | None
) -> None:
    message = AIMessage("x", response_metadata={"token_usage": usage})
    assert cached_tokens(message) == cached
