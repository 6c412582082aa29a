"""Servers that refuse a part of the request, or hide their errors: over HTTP, end to end."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import Body, FaultServer, backwards, completion, error
from prompts import read_document
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.rate import graph as rate_graph
from re2llm.graph.recommend import graph
from re2llm.interfaces.chat import graph as chat_graph
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
LONG = 3_000
"""Characters of a prompt that a small model does not take."""
Ask = Callable[..., Any]
Refuse = Callable[[Body], tuple[int, Any] | None]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def settle(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    films: str,
) -> Callable[..., Ask]:
    def with_settings(**settings: Any) -> Ask:
        defaults = {"base_url": server.url, "api_key": SecretStr("sk-none"), "retry_pause": 0.01}
        adjust(**{**defaults, "structured": "auto", **settings})
        monkeypatch.setattr(services.models, "_limits", None)
        model = f"openai:refusing-{uuid.uuid4().hex[:8]}"

        async def recommend(at: int = 0, history: int = 2, **options: Any) -> dict[str, Any]:
            request: Any = {
                "domain": films,
                "history": IDS[20 + at : 20 + at + history],
                "candidates": CANDIDATES,
            }
            context = Context(**{"policy": "none", "model": model, "record": False, **options})
            result = await graph.ainvoke(request, context=context)
            assert result.get("error") is None, result
            assert sorted(result["ranking"]) == sorted(CANDIDATES)
            return result

        return recommend

    return with_settings


@pytest.fixture
def ask(settle: Callable[..., Ask]) -> Ask:
    return settle()


def where(condition: Callable[[Body], bool], status: int, body: Any) -> Refuse:
    return lambda asked: (status, body) if condition(asked) else None


def as_schema(body: Body) -> bool:
    return body.get("response_format", {}).get("type") == "json_schema"


def with_tools(body: Body) -> bool:
    return "tools" in body


# How JSON is asked for

VAGUE: dict[str, tuple[int, Any]] = {
    "bare 400 in a list": (
        400,
        [{"error": {"code": 400, "message": "Request contains an invalid argument."}}],
    ),
    "bare 400": (400, error("Bad request")),
    "400 without a body": (400, b""),
    "404 of a router": (404, error("No endpoints found that can handle the parameters")),
    "404 of a field": (404, {"detail": "response_format"}),
    "422": (422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs"}]}),
    "405": (405, error("Not allowed")),
    "415": (415, error("Unsupported media type")),
    "501": (501, error("Not implemented")),
    "500 that names it": (500, error("json_schema is not supported by this backend")),
    "400 behind 200": (200, {"error": {"message": "Invalid request", "code": 400}}),
}


@pytest.mark.parametrize("answer", VAGUE.values(), ids=VAGUE)
async def test_any_refusal_of_an_untried_way_leads_to_the_next(
    server: FaultServer, ask: Ask, answer: tuple[int, Any]
) -> None:
    server.refuse = where(as_schema, *answer)
    assert [(await ask(at))["flags"] for at in range(3)] == [[], [], []]
    methods = [asked.method for asked in server.asked]
    assert methods == ["json_schema", *["function_calling"] * 3]


@pytest.mark.parametrize("answer", VAGUE.values(), ids=VAGUE)
async def test_a_server_without_schema_and_tools_is_asked_in_json_mode(
    server: FaultServer, ask: Ask, answer: tuple[int, Any]
) -> None:
    server.refuse = lambda body: answer if as_schema(body) or with_tools(body) else None
    assert [(await ask(at))["flags"] for at in range(2)] == [[], []]
    methods = [asked.method for asked in server.asked]
    assert methods == ["json_schema", "function_calling", "json_mode", "json_mode"]


@pytest.mark.parametrize(
    "message",
    [
        "No endpoints found that support tool use.",
        "No endpoints found that support tool use. To learn more, visit the documentation",
        "No endpoints found that support the provided 'tool_choice' value.",
        "No allowed providers are available for the selected model.",
        "This endpoint does not support function calling",
        "Tool use is not supported for this model",
    ],
)
async def test_prose_under_a_schema_and_404_for_tools(
    server: FaultServer, ask: Ask, message: str
) -> None:
    """A router ignores the schema and finds no server behind it that takes tools."""
    server.refuse = where(with_tools, 404, error(message))
    server.speak = lambda body: "I like the newest." if as_schema(body) else backwards(body)
    await ask(0)
    assert [(await ask(at))["flags"] for at in range(1, 3)] == [[], []]
    methods = [asked.method for asked in server.asked]
    assert methods == ["json_schema", "function_calling", *["json_mode"] * 3]


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_a_refused_key_or_rate_says_nothing_about_the_way(
    server: FaultServer, settle: Callable[..., Ask], status: int
) -> None:
    ask = settle(model_retries=0)
    server.refuse = lambda _: (status, error("Sorry, tools and response_format not allowed"))
    await ask()
    assert [asked.method for asked in server.asked] == ["json_schema"]


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_the_key_that_was_sent_is_in_no_words_of_the_server(
    server: FaultServer, settle: Callable[..., Ask], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    key = "Plain/Words.Of-a-Key"
    ask = settle(model_retries=0, api_key=SecretStr(key))
    padding = "so it is " * 20  # the cut at 200 characters falls into the key
    server.refuse = lambda _: (status, error(f"We do not know {key}, {padding}{key}"))
    with caplog.at_level(logging.DEBUG, logger="re2llm"):
        result = await ask()
    assert "We do not know …, so it is" in result["model_error"]
    assert "Plain" not in json.dumps(result)
    assert "do not know" in caplog.text
    assert "Plain" not in caplog.text


@pytest.mark.parametrize(
    "message", ["model 'x' not found, try pulling it first", "The model `x` does not exist"]
)
async def test_a_model_that_does_not_exist_is_asked_once(
    server: FaultServer, ask: Ask, message: str
) -> None:
    server.refuse = lambda _: (404, error(message))
    result = await ask()
    assert result["flags"] == ["model_failed", "rejected", "completed"]
    assert len(server.asked) == 1
    assert result["model_error"] == message


# Answers that the server itself could not read

GENERATED = {
    "no JSON": error("Failed to generate JSON. Please adjust your prompt.", "json_validate_failed"),
    "half": {"error": {"code": "json_validate_failed", "failed_generation": '{"ranking": [1'}},
    "tool": error("Failed to call a function. See 'failed_generation'.", "tool_use_failed"),
    "parse": error("Failed to parse tool call arguments as JSON"),
    "malformed": error("The model generated invalid JSON"),
    "MALFORMED_FUNCTION_CALL": error("Malformed function call"),
}  # fmt: skip


@pytest.mark.parametrize("body", GENERATED.values(), ids=GENERATED)
async def test_an_answer_that_the_server_rejected_is_asked_for_again(
    server: FaultServer, ask: Ask, body: Body
) -> None:
    turns = iter(range(100))
    server.refuse = lambda _: (400, body) if next(turns) % 2 else None
    assert [(await ask(at))["flags"] for at in range(4)] == [[]] * 4
    assert {asked.method for asked in server.asked} == {"json_schema"}
    assert len(server.asked) == 7


async def test_a_good_answer_that_the_server_rejected_is_read(
    server: FaultServer, ask: Ask
) -> None:
    def refuse(body: Body) -> tuple[int, Any]:
        return 400, {
            "error": {"code": "json_validate_failed", "failed_generation": backwards(body)}
        }

    server.refuse = refuse
    assert (await ask())["flags"] == []
    assert len(server.asked) == 1


async def test_a_way_whose_answers_are_always_rejected_is_given_up(
    server: FaultServer, ask: Ask
) -> None:
    server.refuse = where(as_schema, 400, GENERATED["no JSON"])
    assert [(await ask(at))["flags"] for at in range(2)] == [[], []]
    methods = [asked.method for asked in server.asked]
    assert methods == ["json_schema", "function_calling", "function_calling"]


# Options

OPTIONS: dict[str, tuple[Callable[[Body], bool], int, Any]] = {
    "temperature": (lambda b: "temperature" in b, 400, error("'temperature' is not supported")),
    "new spelling, 422": (
        lambda b: "max_completion_tokens" in b,
        422,
        {
            "message": {
                "detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]}]
            }
        },
    ),
    "new spelling, 400": (
        lambda b: "max_completion_tokens" in b,
        400,
        error("Unrecognized request argument supplied: max_completion_tokens"),
    ),
    "both spellings": (
        lambda b: "max_completion_tokens" in b or "max_tokens" in b,
        400,
        error("max_tokens and max_completion_tokens are not supported"),
    ),
    "too large": (
        lambda b: "max_completion_tokens" in b or "max_tokens" in b,
        400,
        error("max_tokens must be less than or equal to 100"),
    ),
    "several": (
        lambda b: "max_completion_tokens" in b or "temperature" in b,
        400,
        error("temperature, max_completion_tokens: Extra inputs are not permitted"),
    ),
    "500": (lambda b: "temperature" in b, 500, error("unknown argument temperature")),
}


@pytest.mark.parametrize(("sent", "status", "body"), OPTIONS.values(), ids=OPTIONS)
async def test_a_refused_option_is_left_out_once_and_for_all(
    server: FaultServer,
    settle: Callable[..., Ask],
    caplog: pytest.LogCaptureFixture,
    sent: Callable[[Body], bool],
    status: int,
    body: Any,
) -> None:
    ask = settle(max_answer_tokens=500)
    server.refuse = where(sent, status, body)
    assert [(await ask(at))["flags"] for at in range(3)] == [[], [], []]
    assert [sent(asked.body) for asked in server.asked[-3:]] == [False] * 3
    assert len(server.asked) <= 3 + 2
    assert {asked.method for asked in server.asked} == {"json_schema"}
    assert "refuses" in caplog.text


async def test_what_stands_beside_a_tool_is_left_out_once_and_for_all(
    server: FaultServer, settle: Callable[..., Ask]
) -> None:
    ask = settle(structured="function_calling")
    answer = error("Unsupported parameter: 'parallel_tool_calls' is not supported")
    server.refuse = where(lambda b: "parallel_tool_calls" in b, 400, answer)
    assert [(await ask(at))["flags"] for at in range(2)] == [[], []]
    assert [asked.method for asked in server.asked] == ["function_calling"] * 3


async def test_a_denied_key_with_the_status_400_is_sent_once(server: FaultServer, ask: Ask) -> None:
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}
    server.refuse = lambda _: (400, [body])
    result = await ask()
    assert result["flags"] == ["model_failed", "denied", "completed"]
    assert len(server.asked) == 1


async def test_the_old_spelling_of_the_longest_answer_is_tried_before_it_is_left_out(
    server: FaultServer, settle: Callable[..., Ask]
) -> None:
    ask = settle(max_answer_tokens=500)
    server.refuse = where(*OPTIONS["new spelling, 400"])
    await ask()
    assert server.asked[-1].body["max_tokens"] == 500


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} ", "'{}'\n", "\ufeff{}"])
async def test_a_key_with_something_around_it_is_sent_clean(
    server: FaultServer, settle: Callable[..., Ask], around: str
) -> None:
    ask = settle(api_key=SecretStr(around.format("sk-kept-in-a-secret")))
    assert (await ask())["flags"] == []
    assert server.asked[0].headers["authorization"] == "Bearer sk-kept-in-a-secret"


# The system role

NO_SYSTEM = [
    "System role not supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "Only user and assistant roles are supported!",
    "Unsupported role: system",
    "messages.0.role: Input should be 'user' or 'assistant'",
]


def alternating(body: Body) -> bool:
    roles = [message["role"] for message in body["messages"]]
    return roles == [("user", "assistant")[place % 2] for place in range(len(roles))]


@pytest.mark.parametrize("message", NO_SYSTEM)
@pytest.mark.parametrize("status", [400, 500])
async def test_rules_are_folded_into_what_the_person_says(
    server: FaultServer, ask: Ask, message: str, status: int
) -> None:
    server.refuse = where(lambda body: not alternating(body), status, error(message))
    assert [(await ask(at))["flags"] for at in range(2)] == [[], []]
    assert [alternating(asked.body) for asked in server.asked] == [False, True, True]
    assert {asked.method for asked in server.asked} == {"json_schema"}
    before, after = server.asked[:2]
    assert all(part["content"] in after.text for part in before.body["messages"])


async def test_a_repair_is_folded_too(server: FaultServer, ask: Ask) -> None:
    server.refuse = where(lambda body: not alternating(body), 400, error(NO_SYSTEM[0]))
    await ask()
    server.play("wrong ids")
    assert "repaired" in (await ask(1))["flags"]
    assert alternating(server.asked[-1].body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            422,
            {
                "detail": [
                    {
                        "type": "enum",
                        "loc": ["body", "messages", 0, "role"],
                        "msg": "Input should be 'user' or 'assistant'",
                        "input": "system",
                        "ctx": {"expected": "'user' or 'assistant'"},
                    }
                ]
            },
        ),
        (
            422,
            {
                "detail": [
                    {
                        "loc": ["body", "messages", 0, "role"],
                        "msg": "value is not a valid enumeration member; permitted: 'user'",
                        "type": "type_error.enum",
                    }
                ]
            },
        ),
        (424, {"ErrorCode": "CLIENT_ERROR", "Message": "System role not supported"}),
    ],
)
async def test_rules_are_folded_whatever_the_form_of_the_refusal(
    server: FaultServer, ask: Ask, status: int, body: Any
) -> None:
    server.refuse = where(lambda sent: not alternating(sent), status, body)
    assert [(await ask(at))["flags"] for at in range(2)] == [[], []]
    assert [alternating(asked.body) for asked in server.asked] == [False, True, True]


@pytest.mark.parametrize("message", NO_SYSTEM)
async def test_a_chat_is_folded_too(
    server: FaultServer, ask: Ask, films: str, message: str
) -> None:
    server.speak = lambda _: "How about Heat?"
    server.refuse = where(lambda body: not alternating(body), 400, error(message))
    context = Context(domain=films, model=f"openai:folding-{uuid.uuid4().hex[:8]}")
    for _ in range(2):
        messages: Any = {"messages": [("user", "Hello!"), ("user", "Anyone?")]}
        result = await chat_graph.ainvoke(messages, context=context)
        assert result["messages"][-1].text.strip() == "How about Heat?"
    assert [alternating(asked.body) for asked in server.asked] == [False, True, True]


async def test_a_chat_leaves_out_what_the_server_refuses(
    server: FaultServer, settle: Callable[..., Ask], films: str
) -> None:
    settle(max_answer_tokens=500)
    server.speak = lambda _: "How about Heat?"
    server.refuse = where(*OPTIONS["several"])
    context = Context(domain=films, model=f"openai:chatting-{uuid.uuid4().hex[:8]}")
    for _ in range(2):
        result = await chat_graph.ainvoke({"messages": [("user", "Hi")]}, context=context)  # type: ignore[arg-type]
        assert result["messages"][-1].text.strip() == "How about Heat?"
    assert len(server.asked) == 3


# Errors behind the status 200

BEHIND_200: dict[str, tuple[Any, str, int]] = {
    # body: kind of failure, calls with one retry
    "no credits": ({"error": {"message": "Add more", "code": 402}, "user_id": "u"}, "denied", 1),
    "no credits, by words": ({"error": {"message": "Insufficient credits"}}, "denied", 1),
    "no credits, by type": (
        {"error": {"message": "x", "type": "insufficient_quota"}, "choices": None},
        "denied",
        1,
    ),
    "bad key": ({"error": {"message": "No auth credentials found", "code": 401}}, "denied", 1),
    "rate": ({"error": {"message": "Slow down", "code": 429}}, "rate_limited", 2),
    "rate in a choice": (
        {"choices": [{"error": {"code": 429, "message": "Slow down"}, "message": {"content": ""}}]},
        "rate_limited",
        2,
    ),
    "upstream": ({"error": {"message": "Provider returned error", "code": 502}}, "server_error", 2),
    "overloaded": ({"error": {"type": "overloaded_error"}, "choices": []}, "server_error", 2),
    "broken off": (completion({"role": "assistant", "content": None}, "error"), "server_error", 2),
    "wrong page": ({"error": "Unexpected endpoint or method. (POST /v2)"}, "rejected", 1),
    "filtered": ({"error": {"code": 400, "message": "content_filter"}}, "refused", 1),
    "no balance, beside null choices": (
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        "denied",
        1,
    ),
    "no choices": ({**completion({}), "choices": []}, "wrong_shape", 2),
    "null choices": ({**completion({}), "choices": None}, "wrong_shape", 2),
}


@pytest.mark.parametrize("structured", ["plain", "json_schema"])
@pytest.mark.parametrize(("body", "kind", "calls"), BEHIND_200.values(), ids=BEHIND_200)
async def test_an_error_behind_200_counts_as_what_it_is(
    server: FaultServer,
    settle: Callable[..., Ask],
    body: Any,
    kind: str,
    calls: int,
    structured: str,
) -> None:
    ask = settle(model_retries=1, structured=structured)
    server.refuse = lambda _: (200, body)
    result = await ask()
    assert result["flags"] == ["model_failed", kind, "completed"]
    assert result["llm_calls"] == len(server.asked) == calls


async def test_a_chat_reads_an_error_behind_200(
    server: FaultServer, settle: Callable[..., Ask], films: str, caplog: pytest.LogCaptureFixture
) -> None:
    settle(model_retries=2)
    server.refuse = lambda _: (200, {"error": {"message": "Insufficient credits", "code": 402}})
    context = Context(domain=films, model=f"openai:unpaid-{uuid.uuid4().hex[:8]}")
    await chat_graph.ainvoke({"messages": [("user", "Hi")]}, context=context)  # type: ignore[arg-type]
    assert len(server.asked) == 1
    assert "denied" in caplog.text


EVENTS: dict[str, tuple[bytes, str, int]] = {
    # event: kind of failure, calls with one retry
    "no credits": (b'{"error": {"message": "Add more", "code": 402}}', "denied", 1),
    "no credits, by words": (b'{"error": {"message": "Insufficient credits"}}', "denied", 1),
    "rate": (b'{"error": {"message": "Slow down", "type": "rate_limit_error"}}', "rate_limited", 2),
    "overloaded": (b'{"error": {"type": "overloaded_error", "message": "x"}}', "server_error", 2),
    "words alone": (b'{"error": "The key is no valid API key"}', "denied", 1),
    "unknown": (b'{"error": {"message": "It broke"}}', "server_error", 2),
}


@pytest.mark.parametrize(("event", "kind", "calls"), EVENTS.values(), ids=EVENTS)
async def test_an_error_in_a_stream_counts_as_what_it_is(
    server: FaultServer,
    settle: Callable[..., Ask],
    films: str,
    caplog: pytest.LogCaptureFixture,
    event: bytes,
    kind: str,
    calls: int,
) -> None:
    settle(model_retries=1)
    server.refuse = lambda _: (200, b"data: " + event + b"\n\n")
    context = Context(domain=films, model=f"openai:streaming-{uuid.uuid4().hex[:8]}")
    asked: Any = {"messages": [("user", "Hi")]}
    parts = [p async for p in chat_graph.astream(asked, context=context, stream_mode="messages")]
    assert parts
    assert all(one.body["stream"] for one in server.asked)
    assert len(server.asked) == calls
    assert f"failed: {kind}" in caplog.text


# What the provider says


async def test_the_providers_words_reach_the_answer_and_the_log_without_secrets(
    server: FaultServer, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    words = "Your plan\nhas ended; key sk-secret-1234567890 is closed."
    server.refuse = lambda _: (403, error(words))
    result = await ask()
    assert result["model_error"] == "Your plan has ended; key … is closed."
    assert "Your plan has ended" in caplog.text
    assert "1234567890" not in caplog.text
    server.refuse = lambda _: None
    assert (await ask(1))["model_error"] == ""


async def test_a_program_with_an_api_key_does_not_see_the_words(
    server: FaultServer, ask: Ask, keyed: Callable[..., Any]
) -> None:
    server.refuse = lambda _: (403, error("The shop's plan has ended"))
    caller = await keyed()
    assert (await ask(caller=caller))["model_error"] == ""


async def test_of_a_server_that_is_not_there_the_systems_words_are_shown(
    settle: Callable[..., Ask],
) -> None:
    ask = settle(base_url="http://127.0.0.1:9/v1", model_retries=0)
    result = await ask()
    assert result["flags"][:2] == ["model_failed", "connection"]
    assert "refused" in result["model_error"] or "attempts failed" in result["model_error"]


# Prompts that are too long

TOO_LONG: dict[str, tuple[int, Any]] = {
    "a range": (
        400,
        {"code": "InvalidParameter", "message": "Range of input length should be [1, 30720]"},
    ),
    "llama.cpp behind 200": (
        200,
        {"error": {"code": 400, "message": "the request exceeds the available context size."}},
    ),
    "code": (400, error("However, your messages have 9120 tokens", "context_length_exceeded")),
    "words": (400, error("This model's maximum context length is 4096 tokens.")),
    "anthropic": (400, error("prompt is too long: 208310 tokens > 200000 maximum")),
    "413": (413, b"<html>Request Entity Too Large</html>"),
    "500": (500, error("the request exceeds the available context size")),
    "rate": (429, error("Request too large for m on tokens per min: Limit 6000, Requested 8000")),
    "behind 200": (200, {"error": {"message": "Input is too long for this model", "code": 400}}),
}  # fmt: skip


def long(body: Body) -> bool:
    return sum(len(message["content"]) for message in body["messages"]) > LONG


@pytest.mark.parametrize("answer", TOO_LONG.values(), ids=TOO_LONG)
async def test_a_prompt_that_is_too_long_is_shortened_and_the_answer_says_so(
    server: FaultServer, ask: Ask, answer: tuple[int, Any]
) -> None:
    server.refuse = where(lambda b: history(b) > 5, *answer)
    first = await ask(0, history=30)
    assert (first["flags"], first["llm_calls"]) == (["prompt_shortened"], 2)
    second = await ask(1, history=30)
    assert (second["flags"], second["llm_calls"]) == (["prompt_shortened"], 1)
    assert (await ask(2, history=2))["flags"] == []
    assert [asked.method for asked in server.asked] == ["json_schema"] * 4
    shown = read_document(server.asked[1].body["messages"][1]["content"])
    whole = read_document(server.asked[0].body["messages"][1]["content"])
    assert [i["title"] for i in shown["history"]] == [i["title"] for i in whole["history"][-5:]]
    assert [c["number"] for c in shown["candidates"]] == [c["number"] for c in whole["candidates"]]


def history(body: Body) -> int:
    return len(read_document(body["messages"][1]["content"])["history"])


async def test_a_shortened_prompt_stays_short_in_the_repair(server: FaultServer, ask: Ask) -> None:
    server.refuse = where(lambda b: history(b) > 5, *TOO_LONG["code"])
    server.speak = lambda _: "I do not know."
    result = await ask(0, history=30)
    assert {"prompt_shortened", "repaired", "completed"} <= set(result["flags"])
    assert [history(asked.body) for asked in server.asked] == [30, 5, 5]


async def test_several_orders_are_shortened_too(server: FaultServer, ask: Ask) -> None:
    server.refuse = where(lambda b: history(b) > 5, *TOO_LONG["code"])
    result = await ask(0, history=30, orders=3)
    assert result["flags"] == ["prompt_shortened"]


async def test_a_prompt_that_stays_too_long_says_what_to_set(server: FaultServer, ask: Ask) -> None:
    server.refuse = lambda _: TOO_LONG["words"]
    result = await ask(0, history=30)
    assert result["flags"] == ["prompt_shortened", "model_failed", "too_long", "completed"]
    assert len(server.asked) == 2
    assert result["model_error"] == "This model's maximum context length is 4096 tokens."


async def test_a_rating_is_asked_for_with_fewer_reviews(server: FaultServer, ask: Ask) -> None:
    server.speak = lambda _: (
        "<analyze user>a</analyze user><analyze item>b</analyze item><match>c</match><rate>3</rate>"
    )
    server.refuse = where(long, *TOO_LONG["code"])
    review = {"title": "Heat", "rating": 4, "text": "It was a good film, on the whole. " * 15}
    request: Any = {"item": {"title": "Alien"}, "history": [review] * 10}
    context = Context(model=f"openai:rating-{uuid.uuid4().hex[:8]}")
    result = await rate_graph.ainvoke(request, context=context)
    assert (result["rating"], result["flags"]) == (3.0, ["prompt_shortened"])
    assert result["valid"]
    assert [long(asked.body) for asked in server.asked] == [True, False]


# Answers in parts

STREAMS_ONLY = [
    "parameter.enable_thinking must be set to false for non-streaming calls",
    "This model only support stream mode, please enable the stream parameter.",
    "Stream must be set to true",
]


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("said", STREAMS_ONLY)
async def test_a_server_that_only_streams_is_asked_for_parts(
    server: FaultServer, ask: Ask, said: str, counts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(body: Body) -> tuple[int, Any] | None:
        if not body.get("stream"):
            return 400, error(said)
        if not counts and "stream_options" in body:
            return 400, error("Unrecognized request argument supplied: stream_options")
        return None

    server.refuse = refuse
    first = await ask()
    assert (first["flags"], first["llm_calls"]) == ([], 2 if counts else 3)
    second = await ask(1)
    assert (second["flags"], second["llm_calls"]) == ([], 1)
    assert {asked.method for asked in server.asked} == {"json_schema"}
    assert "wants answers in parts: from now on asked so" in caplog.text
    assert ("refuses" in caplog.text) is not counts
