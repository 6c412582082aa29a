"""A provider's own words reach the person who can act on them, and no secret does."""

from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from re2llm.errors import Failure
from re2llm.llm.client.api_keys import secrets_of
from re2llm.llm.errors.error_words import LONGEST, error_words, shown
from re2llm.llm.errors.failures import read_failure
from re2llm.llm.errors.hidden_errors import hidden_status, reveal

BODIES: list[tuple[Any, str]] = [
    ({"error": {"message": "Slow down.", "code": 429}}, "Slow down."),
    ({"message": "Slow down."}, "Slow down."),
    ({"error": "Slow down."}, "Slow down."),
    ({"detail": "Slow down."}, "Slow down."),
    ([{"error": {"message": "Slow down.", "status": "INVALID_ARGUMENT"}}], "Slow down."),
    ('{"error": {"message": "Slow down."}}', "Slow down."),
    ({"base_resp": {"status_msg": "x"}, "msg": "Slow down."}, "Slow down."),
    (
        {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]},
        "body.seed: Extra inputs",
    ),
    (
        {"message": {"detail": [{"loc": ["body", "max"], "msg": "Not permitted", "input": 5}]}},
        "body.max: Not permitted",
    ),
    (
        {"message": "Provider returned error", "metadata": {"raw": '{"error": "It is full"}'}},
        "Provider returned error It is full",
    ),
    ("<html><h1>Bad gateway</h1></html>", "Bad gateway"),
    (
        {"choices": [{"error": {"message": "It is full", "code": 502}, "message": {}}]},
        "It is full",
    ),
    ({"choices": None, "base_resp": {"status_msg": "No balance"}}, "No balance"),
    ({"error": {"message": ""}}, ""),
    ({"type": "about:blank", "title": "Forbidden", "status": 403}, "Forbidden"),
    ({"title": "Forbidden", "detail": "It is full"}, "It is full"),
    ({"errorCode": "X1", "errorMessage": "It is full"}, "It is full"),
    ({"err_code": 1, "err_msg": "It is full"}, "It is full"),
    ({"Error": {"Code": "X1", "Message": "It is full"}}, "It is full"),
    ({"response": {"error": {"message": "It is full"}}}, "It is full"),
    ({"traceback": f"File x\nRuntimeError: {'x' * 9_000}"}, f"RuntimeError: {'x' * 185}…"),
    ({}, ""),
    (None, ""),
]
SECRETS = [
    "Incorrect API key provided: sk-secret-1234567890.",
    "Incorrect API key provided: sk-proj-ab*****************cd. See the page.",
    "Bad header Authorization: Bearer abcdef123456",
    "Bad header 'authorization'='abcdef123456'",
    "No route to postgresql://user:hunter22@db.example/x",
    "Cannot reach https://me:abcdef123456@proxy.example:3128/",
    "Cannot reach https://me:a@b@abcdef123456@proxy.example:3128/",
    "Cannot reach https://me:a/b/abcdef123456@proxy.example:3128/",
    "api_key=abcdef123456 is not known",
    "Invalid token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.abcdef123456",
    "Key AIzaSyabcdef123456abcdef123456 is restricted",
    "Unknown key gsk_abcdef123456abcdef123456",
    "Rate limit reached in organization org-abcdef123456 on tokens",
    "password: hunter22",
    "No answer from https://host/v1?alt=json&key=abcdef123456",
    "No answer from https://host/v1?api-version=1&access_token=abcdef123456",
    *(
        form.format("abcdef123456")
        for form in (
            *("key={}", "key: {}", "token={}", "token: {}", "Invalid key '{}'", "Bearer: {}"),
            *("OPENAI_API_KEY={}", "auth_token={}", "client_secret={}", "apikey {}", "pwd={}"),
            *("api key is {}", "The key {} is invalid", "Invalid API key {}", "Cookie: id={}"),
            *("{{'x-api-key': '{}'}}", "Invalid token: {}", "X-Goog-Api-Key={}", "github_pat_{}"),
            *("xoxb-{}", "hf_{}", "AIza{}", "passwd={}"),
        )
    ),
    "sk-x-ab****",
    *(f"Unknown one: {form}abcdef123456" for form in ("csk-", "fw_", "r8_", "tgp_v1_")),
]
PARTS = ["1234567890", "abcdef123456", "hunter22", "ab****"]


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_words_are_found_in_any_body(body: Any, words: str) -> None:
    assert error_words(body) == words


@pytest.mark.parametrize("said", SECRETS)
def test_no_secret_is_shown(said: str) -> None:
    text = shown(said)
    assert "…" in text
    assert not [part for part in PARTS if part in text]


@pytest.mark.parametrize(
    "said",
    [
        "The model meta-llama/Llama-3.3-70B-Instruct-Turbo does not exist.",
        "This model's maximum context length is 4096 tokens. However, you requested 9120.",
        "token limit reached: 8192",
        "'max_completion_tokens' is not supported; use 'max_tokens'.",
        "Rate limit reached: try again in 20.5 s",
        "Missing required key: messages",
        "Invalid key: 'foo' in schema",
        "Bearer authentication required",
        "See https://host:8080/errors/429 or https://host/@v2, or write to help@host",
        "token: 4096 maximum, key=value pairs, max_tokens=4096",
        "user-defined tools; hf-internal-testing/tiny; voyage-large",
    ],
)
def test_ordinary_words_stay(said: str) -> None:
    assert shown(said) == said


def test_words_are_one_short_line() -> None:
    text = shown("Line\x1b[31m one\r\n\tline\x00two \u202e " + "and more " * 5_000)
    assert len(text) == LONGEST
    assert text.startswith("Line [31m one line two and more")
    assert text.isprintable()
    assert text.endswith("…")


def test_of_a_lost_connection_the_systems_words_are_kept() -> None:
    top, middle = ConnectionError("Connection error."), httpx.ConnectError("All attempts failed")
    top.__cause__, middle.__cause__ = middle, OSError(111, "Connection refused")
    failed = read_failure(top)
    assert failed.failure is Failure.CONNECTION
    assert failed.said == "[Errno 111] Connection refused"


# Errors behind the status 200

JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}
GOOD = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
HIDDEN: list[tuple[Any, int | None]] = [
    ({"error": {"message": "Insufficient credits", "code": 402}}, 402),
    ({"error": {"message": "Insufficient credits"}}, 402),
    ({"error": {"message": "x", "type": "insufficient_quota"}}, 402),
    ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, 429),
    ({"error": {"message": "x", "code": "429"}}, 429),
    ({"error": {"message": "Rate limit exceeded: free-models-per-day"}}, 429),
    ({"error": {"message": "x", "type": "invalid_api_key"}}, 401),
    ({"error": {"message": "x", "type": "authentication_error"}}, 401),
    ({"error": {"message": "Provider returned error", "code": 502}}, 502),
    ({"error": {"message": "x", "type": "overloaded_error"}}, 503),
    ({"error": {"message": "No endpoints found", "code": 404}}, 404),
    ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, 404),
    ({"error": "the request timed out"}, 504),
    ({"error": {"message": "x", "type": "invalid_request_error"}}, 400),
    ({"error": {"message": "whatever"}}, 500),
    ({"error": {"message": "x", "code": 402}, "choices": []}, 402),
    ({"error": {"message": "x", "code": 429}, "choices": None}, 429),
    ({"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}, 500),
    ({"choices": [{"message": {"content": None}, "error": {"code": 502}}]}, 502),
    ({"detail": "Unauthorized"}, 401),
    ({"message": "no such model", "object": "error"}, 404),
    ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, 402),
    (
        {"base_resp": {"status_code": 1004, "status_msg": "login fail: no API secret key here"}},
        401,
    ),
    ({"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}, 400),
    ({"code": 1004, "msg": "Please log in: login required"}, 401),
    ({"error": {"message": "The secret key is wrong"}}, 401),
    ({"error": {"code": "1000", "message": "\u8eab\u4efd\u9a8c\u8bc1\u5931\u8d25"}}, 401),
    ([{"error": {"message": "x", "code": 401, "status": "UNAUTHENTICATED"}}], 401),
    ({"error": [{"message": "Invalid key", "code": 401}]}, 401),
    ({"error": {"message": "x", "status": "RESOURCE_EXHAUSTED"}}, 429),
    ({"error": {"message": "x", "status": "DEADLINE_EXCEEDED"}}, 504),
    ({"error": True, "message": "Unauthorized"}, 401),
    ({"error": "boom", "choices": [{"message": {"content": "Hi"}}]}, 500),
    ({"errors": [{"message": "x", "code": 429}]}, 429),
    ({"error_code": 17, "error_msg": "Open api daily request limit reached"}, 429),
    ({"statusCode": 401, "message": "Access denied due to invalid subscription key"}, 401),
    ({"Message": "Unauthorized"}, 401),
    ({"fault": {"faultstring": "Rate limit quota violation"}}, 402),
    ({"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}, 400),
    ({"failure": "out of memory"}, 500),
    ({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401),
    ({"success": False, "errors": [{"code": 10_000, "message": "Authentication error"}]}, 401),
    ({"type": "about:blank", "title": "Slow down", "status": 429}, 429),
    ({"title": "Unauthorized", "detail": "No key"}, 401),
    ({"errorCode": "401", "errorMessage": "x"}, 401),
    ({"errorCode": "InvalidKey", "errorMessage": "x"}, 401),
    ({"errorMessage": "boom"}, 500),
    ({"code": 401, "msg": "x"}, 401),
    ({"err_code": 1, "err_msg": "x"}, 500),
    ({"success": False}, 500),
    ({"success": "false", "data": None}, 500),
    ({"ok": False, "reason": "quota"}, 402),
    ({"status": "failed"}, 500),
    ({"code": 429}, 429),
    ({"Error": {"Code": "Throttling", "Message": "x"}}, 429),
    ({"response": {"error": {"message": "x", "code": 403}}}, 403),
    ({**GOOD, "success": True, "code": 0, "message": "ok"}, None),
    ({"output": [{"type": "message"}], "status": "completed", "error": None}, None),
    ({"status": "completed"}, None),
    (GOOD, None),
    ({**GOOD, "error": False}, None),
    ({**GOOD, "error": ""}, None),
    ({**GOOD, "base_resp": {"status_code": 0}}, None),
    ({"error": {}}, None),
    ([GOOD], None),
    ({**GOOD, "error": None}, None),
    ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no balance"}}, 500),
    ({"choices": [], "detail": "Not authenticated"}, 401),
    ({"success": False, "errors": [{"message": "Unknown model", "code": 7003}]}, 404),
    ({"error_code": 110, "error_msg": "Access token invalid"}, 401),
    ({"error": {"message": "\u8d26\u6237\u6b20\u8d39"}}, 402),
    ({"error": {"code": "1113", "message": "\u4f59\u989d\u4e0d\u8db3"}}, 402),
    ({"error": {"message": "\u8bf7\u6c42\u8fc7\u4e8e\u9891\u7e41"}}, 429),
    ({"error": {"message": "Rate limit reached. Add a payment method to raise it."}}, 429),
    ({"error": {"message": "The prompt is over the token limit exceeded above"}}, 500),
    ({"Response": {"Error": {"Code": "LimitExceeded", "Message": "slow"}}}, 429),
    ({"error": "Model m is currently loading", "estimated_time": 20.0}, 503),
    ({"error": {"error": {"code": 429}}}, 429),
    ({"status": {"code": 400, "message": "bad"}}, 400),
    ({"meta": {"code": 429, "msg": "slow"}}, 429),
    ({"traceback": "Traceback\n  api_key = 1\nKeyError: 'x'"}, 500),
    ({"stack_trace": ["api_key = 1", "RateLimitError: rate limit reached"]}, 429),
    ({"detail": "boom", "traceback": "api_key = 1"}, 500),
    ({"error": {"code": "content_filter", "message": "filtered"}}, 400),
    ({"code": "content_filter", "message": "no permission"}, 400),
    ({"error": {"code": "data_inspection_failed", "message": "x"}}, 400),
    ({"Message": "User not authorized"}, 403),
    ({"choices": []}, None),
    ({"choices": None}, None),
    ({"id": "x"}, None),
    ([1], None),
    ("text", None),
]


ASKED = httpx.Request("POST", "http://server/v1/chat/completions")


@pytest.mark.parametrize(("body", "status"), HIDDEN)
async def test_a_hidden_error_gets_the_status_that_it_should_have_had(
    body: Any, status: int | None
) -> None:
    assert hidden_status(body) == status
    response = httpx.Response(200, json=body, request=ASKED)
    await reveal(response)
    assert response.status_code == (status or 200)
    assert response.json() == body


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(429, json={"error": {"code": 402}}),
        httpx.Response(200, content=b'data: {"error": {"code": 402}}', headers=EVENTS),
        httpx.Response(200, content=b'{"error": {"code": 402', headers=JSON),
        httpx.Response(200, content=b"", headers=JSON),
        httpx.Response(200, html="<html>error</html>"),
    ],
)
async def test_other_responses_stay_as_they_are(response: httpx.Response) -> None:
    response.request = ASKED
    status = response.status_code
    await reveal(response)
    assert response.status_code == status


async def test_a_failed_batch_is_no_error_of_its_own() -> None:
    body = {"object": "batch", "status": "failed", "errors": {"data": [{"code": "token_limit"}]}}
    asked = httpx.Request("GET", "http://server/v1/batches/batch-1")
    response = httpx.Response(200, json=body, request=asked)
    await reveal(response)
    assert response.status_code == 200


def test_a_models_key_is_hidden_whatever_its_form() -> None:
    model = ChatOpenAI(model="x", api_key=SecretStr("Plain/Words.Of-a-Key"))
    secrets = secrets_of(model)
    assert secrets == ["Plain/Words.Of-a-Key"]
    body = {"error": {"message": f"No {secrets[0]} here. " + "long " * 37 + secrets[0]}}
    failed = read_failure(ServerSaidError(body), secrets)
    assert failed.said.startswith("No … here.")
    assert "Plain" not in failed.said
    assert secrets_of(ChatOpenAI(model="x", api_key=SecretStr("none"))) == []


class ServerSaidError(Exception):
    def __init__(self, body: Any) -> None:
        super().__init__(str(body))
        self.status_code = 400
        self.body = body


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        *(("5", 5.0), ("1.5", 1.5), ("0", 0.0), ("-1", 0.0), ("5s", 5.0), ("1m30s", 90.0)),
        *(("250ms", 0.25), ("2m", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)),
        *(("Wed, 99 Oct 2015 07:28:00 GMT", None), ("Fri, 31 Dec 99999 23:59:59 GMT", None)),
        *(("nan", None), ("inf", None), ("", None), ("soon", None)),
    ],
)
def test_a_pause_is_read_in_any_form(written: str, seconds: float | None) -> None:
    request = httpx.Request("POST", "http://localhost/")
    response = httpx.Response(429, headers={"retry-after": written}, request=request)
    error = httpx.HTTPStatusError("x", request=request, response=response)
    assert read_failure(error).retry_after == seconds
