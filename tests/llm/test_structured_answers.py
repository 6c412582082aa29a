"""JSON in the strictest way that a model understands, remembered model by model."""

import asyncio
import json
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import FaultServer, backwards, completion
from langchain_core.messages import AIMessage
from openai.types.chat import ChatCompletionMessage
from prompts import read_document
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.llm.client.openai_server import no_warning_of_parts
from re2llm.llm.responses import answer_text
from re2llm.llm.structured import METHODS, MethodMemory
from re2llm.runtime.context import Context

IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
Ask = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def ask(server: FaultServer, adjust: Callable[..., None], films: str) -> Ask:
    adjust(base_url=server.url, api_key=SecretStr("sk-none"), structured="auto")
    model = f"openai:structured-{uuid.uuid4().hex[:8]}"

    async def recommend(at: int = 0, **options: Any) -> dict[str, Any]:
        request: Any = {"domain": films, "history": IDS[at : at + 2], "candidates": CANDIDATES}
        context = Context(**{"policy": "none", "model": model, "record": False, **options})
        result = await graph.ainvoke(request, context=context)
        assert sorted(result["ranking"]) == sorted(CANDIDATES)
        return result

    return recommend


async def methods(server: FaultServer) -> list[str]:
    return [asked.method for asked in server.asked]


@pytest.mark.parametrize("understood", range(len(METHODS)))
async def test_the_strictest_understood_method_is_found_and_remembered(
    server: FaultServer, ask: Ask, understood: int
) -> None:
    server.unsupported = set(METHODS[:understood])
    first = await ask(0)
    second = await ask(1)
    assert (first["flags"], second["flags"]) == ([], [])
    assert first["llm_calls"] == understood + 1
    assert second["llm_calls"] == 1
    assert await methods(server) == [*METHODS[: understood + 1], METHODS[understood]]


async def test_the_schema_names_what_the_prompt_asks_for(server: FaultServer, ask: Ask) -> None:
    await ask()
    schema = server.asked[0].body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["ranking"]
    assert schema["properties"]["ranking"]["items"] == {"type": "integer"}


async def test_no_error_and_a_wrong_form_is_a_failure_too(server: FaultServer, ask: Ask) -> None:
    """A server that ignores how it is asked: its prose is repaired, its next answer asked anew."""
    server.play("prose", "prose")
    first = await ask(0)
    assert {"wrong_format", "repaired", "completed"} <= set(first["flags"])
    assert (await ask(1))["flags"] == []
    assert await methods(server) == ["json_schema", "function_calling", "json_mode"]


async def test_a_method_that_has_worked_is_not_given_up_for_one_bad_answer(
    server: FaultServer, ask: Ask
) -> None:
    await ask(0)
    server.play("prose")
    assert "repaired" in (await ask(1))["flags"]
    await ask(2)
    assert set(await methods(server)) == {"json_schema"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "response_format: unknown field"),
        (422, "body.response_format: Extra inputs are not permitted"),
        (500, "json_schema is not supported by this backend"),
        (501, "guided decoding is not enabled"),
    ],
)
async def test_a_method_that_has_worked_is_given_up_if_the_server_now_refuses_it(
    server: FaultServer, ask: Ask, status: int, said: str
) -> None:
    await ask(0)
    body = {"error": {"message": said}}
    server.refuse = lambda asked: (status, body) if "response_format" in asked else None
    assert [(await ask(at))["flags"] for at in (1, 2)] == [[], []]
    tail = ["function_calling", "function_calling"]
    assert await methods(server) == ["json_schema", "json_schema", *tail]


async def test_a_method_that_has_worked_is_given_up_after_three_vague_refusals(
    server: FaultServer, ask: Ask
) -> None:
    await ask(0)
    body = {"error": {"message": "Bad request"}}
    server.refuse = lambda asked: (400, body) if "response_format" in asked else None
    flags = [(await ask(at))["flags"] for at in range(1, 5)]
    assert flags == [*[["model_failed", "rejected", "completed"]] * 2, [], []]
    assert (await methods(server))[-2:] == ["function_calling"] * 2


async def test_refused_prompts_do_not_cost_a_method_that_answers_others(
    server: FaultServer, ask: Ask
) -> None:
    await ask(0)
    for at in range(1, 4):
        server.play("400", "400")
        await ask(at)
        await ask(at)
        server.clear()
        await ask(at)
    assert set(await methods(server)) == {"json_schema"}


async def test_a_server_error_over_an_unknown_option_is_survived(
    server: FaultServer, ask: Ask
) -> None:
    server.play("500", "500")
    assert (await ask())["flags"] == []
    assert await methods(server) == ["json_schema", "json_schema", "function_calling"]


@pytest.mark.parametrize("broken", [b"", b"{}", b"[]", completion({}) | {"choices": None}])
async def test_a_method_that_brings_nothing_readable_is_given_up(
    server: FaultServer, ask: Ask, broken: Any
) -> None:
    server.refuse = lambda asked: (200, broken) if "response_format" in asked else None
    first, second = await ask(0), await ask(1)
    assert (first["flags"], second["flags"]) == ([], [])
    assert await methods(server) == ["json_schema"] * 2 + ["function_calling"] * 2


async def test_calls_in_flight_together_skip_no_method(server: FaultServer, ask: Ask) -> None:
    server.refuse = lambda asked: (500, b"") if "response_format" in asked else None
    results = await asyncio.gather(*(ask(at) for at in range(3)))
    assert [result["flags"] for result in results] == [[]] * 3
    assert set(await methods(server)) == {"json_schema", "function_calling"}


@pytest.mark.parametrize("content", ["", None, '{"ranking": [2, 1'])
async def test_an_answer_that_reached_its_longest_length_is_asked_for_once_more(
    server: FaultServer, ask: Ask, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    """A reasoning model may have thought until then."""
    cut = completion({"role": "assistant", "content": content}, "length")
    server.refuse = lambda _: (200, cut)
    result = await ask()
    assert "model_failed" not in result["flags"]
    assert {"wrong_format", "repaired", "completed"} <= set(result["flags"])
    assert await methods(server) == ["json_schema", "function_calling"]
    await ask(1)
    assert caplog.text.count("RE2LLM_MAX_ANSWER_TOKENS") == 1


async def test_arguments_of_a_tool_that_are_no_json_are_read_tolerantly(
    server: FaultServer, ask: Ask
) -> None:
    server.unsupported = {"json_schema"}
    server.speak = lambda body: backwards(body) + " Hope this helps!"
    result = await ask()
    assert result["flags"] == []
    assert await methods(server) == ["json_schema", "function_calling"]


async def test_a_model_with_a_temperature_of_its_own_is_left_to_it(
    server: FaultServer, ask: Ask
) -> None:
    """As OpenAI's reasoning models; the way to ask for JSON is not to blame."""
    server.unsupported = {"temperature"}
    first, second = await ask(0), await ask(1)
    assert (first["flags"], second["flags"]) == ([], [])
    assert ["temperature" in asked.body for asked in server.asked] == [True, False, False]
    assert set(await methods(server)) == {"json_schema"}


@pytest.mark.long
async def test_calls_in_flight_together_all_leave_the_temperature(
    server: FaultServer, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    server.unsupported = {"temperature"}
    server.delay = 1.0
    results = await asyncio.gather(*(ask(at) for at in range(4)))
    assert [result["flags"] for result in results] == [[]] * 4
    refused = sum("temperature" in asked.body for asked in server.asked)
    assert 2 <= refused <= 4, "they must have been in flight together"
    assert len(server.asked) == 4 + refused
    assert set(await methods(server)) == {"json_schema"}
    assert caplog.text.count("refuses temperature") == 1


async def test_what_a_reasoning_model_thinks_is_no_answer(server: FaultServer, ask: Ask) -> None:
    """Servers without a reasoning parser leave the thoughts, drafts and all, in the answer."""
    thoughts = 'First {"ranking": [1, 2, 3, 4, 5, 6, 7, 8]}? No, backwards.'
    for at, opening in enumerate(("<think>\n", "")):
        server.speak = lambda body, o=opening: f"{o}{thoughts}\n</think>\n\n{backwards(body)}"
        result = await ask(at)
        shown = [item["title"] for item in result["items"]]
        document = read_document(server.asked[at].user)
        assert shown == [entry["title"] for entry in document["candidates"]][::-1]
        assert result["flags"] == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("<think>so</think>{}", "{}"),
        ("<thinking>\na <b> c\n</thinking>\n1. Heat", "\n1. Heat"),
        ("<think>cut off in the middle", ""),
        ("so\n</think>\nyes", "\nyes"),
        ("1. Heat\n2. The </think> tag", "1. Heat\n2. The </think> tag"),
        ("I <think> so", "I <think> so"),
    ],
)
def test_thoughts_are_told_from_answers(said: str, answer: str) -> None:
    assert answer_text(AIMessage(said)) == answer


async def test_an_answer_that_a_reasoning_parser_swallowed_is_read(
    server: FaultServer, ask: Ask
) -> None:
    server.play("in reasoning_content")
    result = await ask()
    assert (result["flags"], result["llm_calls"]) == ([], 1)
    shown = [item["title"] for item in result["items"]]
    document = read_document(server.asked[0].user)
    assert shown == [entry["title"] for entry in document["candidates"]][::-1]


async def test_thoughts_without_an_answer_are_none(server: FaultServer, ask: Ask) -> None:
    server.play("thoughts alone")
    result = await ask()
    assert result["flags"] == ["wrong_format", "missing", "repaired"]


async def test_titles_in_place_of_numbers_need_no_second_question(
    server: FaultServer, ask: Ask
) -> None:
    def titles(body: dict[str, Any]) -> str:
        document = read_document(body["messages"][1]["content"])
        return json.dumps({"ranking": [e["title"] for e in document["candidates"]][::-1]})

    server.speak = titles
    result = await ask()
    assert (result["flags"], result["llm_calls"]) == (["wrong_format"], 1)
    document = read_document(server.asked[0].user)
    shown = [item["title"] for item in result["items"]]
    assert shown == [entry["title"] for entry in document["candidates"]][::-1]


async def test_the_paper_prompt_asks_for_titles_in_free_text(server: FaultServer, ask: Ask) -> None:
    server.speak = lambda body: "\n".join(
        f"{n}. {line[2:]}"
        for n, line in enumerate(reversed(listed(body)), start=1)
    )  # fmt: skip
    result = await ask(prompt="paper")
    assert result["flags"] == []
    assert await methods(server) == ["plain"]
    titles = [line[2:] for line in listed(server.asked[0].body)]
    assert [item["title"] for item in result["items"]] == titles[::-1]


def listed(body: dict[str, Any]) -> list[str]:
    text = body["messages"][1]["content"].split("Candidates")[1]
    return [line for line in text.splitlines() if line.startswith("- ")]


async def test_the_paper_prompt_works_on_the_offline_model(films: str) -> None:
    request: Any = {"domain": films, "history": IDS[:2], "candidates": CANDIDATES}
    context = Context(policy="none", prompt="paper", record=False, model="offline")
    result = await graph.ainvoke(request, context=context)
    assert result["flags"] == []
    assert sorted(result["ranking"]) == sorted(CANDIDATES)


# The memory


def test_it_steps_down_once_for_many_answers_on_the_way() -> None:
    memory = MethodMemory()
    for _ in range(8):  # all asked for before any came back
        memory.judged("json_schema", fits=False)
    assert memory.current == "function_calling"


def test_a_proven_method_falls_after_three_misfits_in_a_row() -> None:
    memory = MethodMemory()
    memory.judged("json_schema", fits=True)
    for _ in range(2):
        memory.judged("json_schema", fits=False)
    memory.judged("json_schema", fits=True)
    for _ in range(2):
        memory.judged("json_schema", fits=False)
    assert memory.current == "json_schema"
    memory.judged("json_schema", fits=False)
    assert memory.current == "function_calling"


def test_a_proven_plain_answer_is_not_to_blame_for_refusals() -> None:
    memory = MethodMemory(("plain",))
    memory.judged("plain", fits=True)
    assert not any(memory.refused("plain", named=named) for named in (True, False) * 3)
    assert (memory.current, memory.proven) == ("plain", True)


def test_when_every_method_is_rejected_none_is_to_blame() -> None:
    memory = MethodMemory()
    assert [memory.unsupported(method) for method in METHODS] == [True, True, True, False]
    assert memory.current == "json_schema"


def test_nothing_is_printed_about_an_answer_in_parts() -> None:
    parts = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    message = ChatCompletionMessage.model_construct(role="assistant", content=parts)
    odd = ChatCompletionMessage.model_construct(role="assistant", content="Hi", refusal=5)
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        no_warning_of_parts()
        message.to_dict()
        assert not printed
        odd.to_dict()
    assert len(printed) == 1
