"""What providers mean by an error or by the end of an answer, whatever the request said."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage
from openai import AsyncOpenAI
from re2llm.errors import Failure
from re2llm.llm.client.answer import read_answer
from re2llm.llm.client.retry import retrying
from re2llm.llm.errors.failures import RETRYABLE, ModelFailedError, read_failure
from re2llm.llm.errors.hidden_errors import hidden_status
from re2llm.llm.errors.stream_errors import with_errors
from re2llm.llm.errors.unsupported_options import Part
from re2llm.llm.responses import refused
from tenacity import RetryCallState


async def failure_of(status: int, body: Any) -> ModelFailedError:
    """Return what is made of an error as OpenAI's package raises it."""

    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(body, str):
            return httpx.Response(status, text=body)
        return httpx.Response(status, json=body)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    client = AsyncOpenAI(api_key="x", base_url="http://server", http_client=http, max_retries=0)
    with pytest.raises(Exception) as raised:  # noqa: PT011  # of any class
        await client.chat.completions.create(model="m", messages=[])
    return read_failure(raised.value)


def exhausted(said: str, delay: str | None = None) -> list[Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    error = {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED", "details": details}
    return [{"error": error if delay else {**error, "details": []}}]


PLAN = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (exhausted(f"{PLAN} Quota exceeded, limit: 15. Please retry in 12.5s.", "12s"), 12.5),
        (exhausted(f"{PLAN} Quota exceeded, limit: 15.", "41s"), 41.0),
        (exhausted(f"{PLAN} Please retry in 850ms."), 0.85),
        ({"error": {"message": "Rate limit reached. Please try again in 1m30.5s."}}, 90.5),
        ({"error": {"message": "Too many requests. Retry after 26 seconds."}}, 26.0),
        ({"error": {"message": "Slow down", "retry_after": 7}}, 7.0),
        ({"message": "Slow down", "retry_after_ms": 2500}, 2.5),
        ({"error": {"message": "Limited. Please try again in 2 minutes."}}, 120.0),
        ({"error": {"message": "Slow down"}}, None),
        ("Too many requests, retry in 5 s", 5.0),
        ("Your account org-1<ak-2> request reached max RPM: 3, please try again in 1s", 1.0),
        ("Your plan's limit is exhausted. Retry in 12s", 12.0),
        ("Limit of 3 requests per minute. Upgrade for $20 per month.", None),
        ("Allocated quota exceeded, please increase your quota limit.", None),
        ("The engine is overloaded, please try again later", None),
        ("Too many requests. Upgrade to Pro for $20/month.", None),
        ("Too many requests. Upgrade to Pro for 9.99 USD / month.", None),
        ("Rate limit of 60 requests per minute reached, please top up to raise it.", None),
        ("Rate limit reached. Please try again in 20s. Check your balance or top up.", 20.0),
        ("Rate limit reached. Please top up your balance to raise it.", None),
        ("RPM limit reached. Please recharge your account. Retry after 3 seconds", 3.0),
        ("Account temporarily suspended for 30 seconds: too many requests", None),
        ("Your account is suspended because of too many requests, wait 30 s", None),
        ("Rate limit exceeded: 60 requests/min, 100000 requests/month on this plan.", None),
        ("Limit: 5 requests/sec, 1000 requests/month", None),
        ("Slow down. Your trial key has not expired.", None),
    ],
)
async def test_a_limit_that_passes_is_waited_for(body: Any, seconds: float | None) -> None:
    failed = await failure_of(429, body)
    assert failed.failure is Failure.RATE_LIMITED
    assert failed.retry_after == seconds


EMPTY = [
    "You exceeded your current token quota: org-1 100, please check your account balance",
    f"Your account org-{'a' * 32}<ak-{'b' * 24}> is suspended, please recharge your account",
    "Your account is not active, please check your details on our website.",
    "Your team has either used all available credits or reached its monthly spending limit.",
    "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
    "You are using a Trial key, which is limited to 1000 API calls / month.",
    "Limited to 1000 API calls / month. Upgrade to a Production key with higher rate limits.",
    "429 Too Many Requests: please recharge your balance",
    "Monthly rate limit reached",
    "Your limit of 1,000 per month is reached. Upgrade for $20/month.",
    "Your account has been temporarily suspended, please contact billing",
    "You have exceeded your monthly included credits for Inference Providers.",
    "Credit limit exceeded, please navigate to your account's page.",
    "Sorry, your account balance is insufficient",
    "The request failed because your account has an overdue balance.",
    "The prepaid bill is overdue.",
    "Your GLM Coding Plan package has expired",
    "Your free trial has ended. Please choose a plan.",
    "Cloud credits expired - Please contact us",
    "user quota is not enough",
    "NOT_ENOUGH_BALANCE",
    "insufficient_user_quota",
    "该令牌额度已用尽",
    "您的套餐已到期,暂无法使用",
]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}),
        (429, {"error": {"message": "账户已欠费"}}),
        (429, {"error": {"message": "Budget has been exceeded! Current cost: 2.1, Max: 2.0"}}),
        (400, {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded"}}),
        (429, {"error": {"message": "ExceededBudget: Key over its budget."}}),
        (429, {"error": {"message": PLAN, "code": "insufficient_quota"}}),
        (429, {"error": {"message": PLAN}}),
        (429, exhausted(f"{PLAN} Quota exceeded, limit: 0. Please retry in 12.5s.", "12s")),
        *((429, {"error": {"message": said}}) for said in EMPTY),
        *((400, {"error": {"message": said}}) for said in EMPTY),
        (429, {"error": {"message": "No.", "type": "exceeded_current_quota_error"}}),
    ],
)
async def test_an_empty_account_is_not_asked_again(status: int, body: Any) -> None:
    failed = await failure_of(status, body)
    assert failed.failure is Failure.DENIED
    assert failed.failure not in RETRYABLE


@pytest.mark.parametrize("asked", [None, 0.0, 0.001, 0.85, 7.0])
def test_a_pause_behind_what_was_asked_for_still_grows(asked: float | None) -> None:
    attempts = retrying(3, 0.5, 60.0)
    error = ModelFailedError(Failure.RATE_LIMITED, retry_after=asked)
    pauses: list[list[float]] = []
    for attempt in range(1, 5):
        state = RetryCallState(attempts, None, (), {})
        state.attempt_number = attempt
        state.set_exception((type(error), error, None))
        pauses.append([attempts.wait(state) - (asked or 0.0) for _ in range(200)])
        assert min(pauses[-1]) >= 0
    most = [max(drawn) for drawn in pauses]
    assert most == sorted(most)
    assert all(end / 2 < drawn <= end for end, drawn in zip((0.5, 1, 2, 4), most, strict=True))


@pytest.mark.parametrize("said", ["The token budget exceeded", "thinking budget exceeded by 5"])
async def test_other_budgets_are_no_accounts(said: str) -> None:
    assert (await failure_of(400, {"error": {"message": said}})).failure is not Failure.DENIED


TITLES = ["Content Policy", "Maximum Context Length", "Invalid API Key", "Insufficient Balance"]
TITLES += ["Unsupported Tools", "The Safety of Objects", "Rate Limit", "Failed to Generate JSON"]


def request(title: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"- {title}"}], "temperature": 0.0, "seed": 5}


def echoes(title: str) -> list[Any]:
    told = {"type": "missing", "loc": ["body", "stream"], "msg": "Field required"}
    listed = [{**told, "input": request(title), "ctx": {"error": title}, "url": title}]
    python = str([{**told, "loc": ("body",), "input": request(title)}])
    return [
        {"detail": listed},
        {"detail": [dict(reversed(listed[0].items()))]},
        {"object": "error", "message": python, "type": "BadRequestError", "code": 422},
        {"error": {"message": python}},
        {"error": {"message": json.dumps(listed)}},
        {"detail": [told], "body": request(title)},
        {"error": {"message": "Field required", "request": {"inner": request(title)}}},
        f"1 validation error: {json.dumps(listed)}",
    ]


@pytest.mark.parametrize("form", range(8))
@pytest.mark.parametrize("title", TITLES)
async def test_the_words_of_the_request_decide_nothing(title: str, form: int) -> None:
    failed = await failure_of(422, echoes(title)[form])
    assert failed.failure is Failure.REJECTED
    assert failed.refuses <= {Part.STREAM_OPTIONS}
    assert title not in failed.said
    assert "temperature" not in failed.said


@pytest.mark.parametrize("title", TITLES)
async def test_what_the_server_says_still_counts(title: str) -> None:
    for said, part in (("tools must be set", None), ("seed is not supported", Part.SEED)):
        told = {"type": "value_error", "loc": ("body",), "msg": f"Value error, {said}."}
        body = {"error": {"message": str([{**told, "input": request(title)}])}}
        failed = await failure_of(400, body)
        assert Part.TEMPERATURE not in failed.refuses
        assert part is None or part in failed.refuses
        assert said.split()[0] in failed.said


async def test_a_lone_input_is_what_was_wrong() -> None:
    failed = await failure_of(413, {"errors": {"input": ["is too long"]}})
    assert failed.failure is Failure.TOO_LONG


def test_a_hidden_error_is_not_told_by_the_request() -> None:
    for title in TITLES:
        told = {"msg": "Something went wrong", "input": request(title)}
        assert hidden_status({"detail": [told]}) == 500


REFUSALS = [
    *({"finish_reason": reason} for reason in ("content_filter", "refusal", "sensitive")),
    *({"finish_reason": reason} for reason in ("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST")),
    *({"finish_reason": reason} for reason in ("SPII", "RECITATION", "FinishReason.SAFETY")),
    *({"finishReason": "safety"}, {"stop_reason": "refusal"}),
    *({"stopReason": reason} for reason in ("guardrail_intervened", "content_filtered")),
    {"prompt_feedback": {"block_reason": "PROHIBITED_CONTENT", "safety_ratings": []}},
]


@pytest.mark.parametrize("metadata", REFUSALS)
def test_an_answer_may_end_with_a_refusal(metadata: dict[str, Any]) -> None:
    message = AIMessage('{"ranking": [1', response_metadata=metadata)
    assert refused(message)
    with pytest.raises(ModelFailedError) as raised:
        read_answer(message, "plain", None)
    assert raised.value.failure is Failure.REFUSED


@pytest.mark.parametrize(
    "metadata",
    [{"finish_reason": reason} for reason in ("stop", "STOP", "length", "tool_calls", None, 1)]
    + [{"stop_reason": "end_turn"}, {"stopReason": "max_tokens"}, {}]
    + [{"prompt_feedback": {"block_reason": 0}}, {"prompt_feedback": None}],
)
def test_an_ordinary_end_is_none(metadata: dict[str, Any]) -> None:
    message = AIMessage("Yes.", response_metadata=metadata)
    assert not refused(message)
    assert read_answer(message, "plain", None).text == "Yes."


@pytest.mark.parametrize("reason", ["network_error", "insufficient_system_resource"])
async def test_a_server_that_broke_off_is_asked_again(reason: str) -> None:
    with pytest.raises(ModelFailedError) as raised:
        read_answer(AIMessage("", response_metadata={"finish_reason": reason}), "plain", None)
    assert raised.value.failure is Failure.SERVER_ERROR
    choice = {"index": 0, "finish_reason": reason, "message": {"content": ""}}
    assert hidden_status({"choices": [choice]}) == 503
    line = b"data: " + json.dumps({"choices": [{**choice, "delta": {}}]}).encode() + b"\n\n"

    async def parts() -> Any:
        yield line

    streamed = b"".join([part async for part in with_errors(parts())])
    assert streamed.startswith(b'data: {"error"')
