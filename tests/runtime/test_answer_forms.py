"""Models that answer in a form of their own: over HTTP, from the prompt to the shown ranking."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import Body, FaultServer, completion
from prompts import read_document
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.runtime.context import Context

IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
COUNT = len(CANDIDATES)
LAST_FIRST = list(range(COUNT, 0, -1))
FIRST_FIRST = LAST_FIRST[::-1]
Write = Callable[[list[str]], Any]
"""Writes an answer that ranks the candidates backwards, given their titles."""

ranking = json.dumps({"ranking": LAST_FIRST})
draft = json.dumps({"ranking": FIRST_FIRST})
placed = list(enumerate(LAST_FIRST, start=1))

CLEAN: dict[str, Write] = {
    "floats": lambda _: {"ranking": [float(n) for n in LAST_FIRST]},
    "floats with two decimals": lambda _: ranking.replace(",", ".00,").replace("1]", "1.00]"),
    "numbers as text": lambda _: {"ranking": [str(n) for n in LAST_FIRST]},
    "fenced": lambda _: f"```json\n{ranking}\n```",
    "byte order mark": lambda _: f"\ufeff{ranking}",
    "blanks around": lambda _: f"\n\n   {ranking}  \n\n",
    "square marks of a thought": lambda _: f"[THINK]Perhaps {draft}?[/THINK]{ranking}",
    "channels": lambda _: (
        f"<|channel|>analysis<|message|>Perhaps {draft}?<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{ranking}"
    ),
    "channels and a tool call": lambda _: (
        f"<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>commentary"
        f"<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>{ranking}<|return|>"
    ),
    "a thought without a beginning": lambda _: f"Perhaps {draft}?\n</think>\n\n{ranking}",
    "two thoughts": lambda _: f"<think>{draft}</think><think>Hm, {draft}</think>{ranking}",
    "a thought in capitals": lambda _: f"<THINK>{draft}</THINK>{ranking}",
    "a thought of another name": lambda _: f"<reasoning>{draft}</reasoning>{ranking}",
    "a thought between triangles": lambda _: f"◁think▷{draft}◁/think▷{ranking}",
    "a thought of a family": lambda _: f"<|begin_of_thought|>{draft}<|end_of_thought|>{ranking}",
    "a seed of thought": lambda _: f"<seed:think>{draft}</seed:think>{ranking}",
    "reflection": lambda _: f"<reflection>{draft}</reflection>\n{ranking}",
    "a thought beside": lambda _: f"<think>\n{draft}\n</think>\n```json\n{ranking}\n```",
}
FLAGGED: dict[str, Write] = {
    "rank and candidate": lambda _: {"ranking": [{"rank": p, "candidate": n} for p, n in placed]},
    "rank, id, title, score": lambda titles: {
        "ranking": [
            {"rank": p, "id": n, "title": titles[n - 1], "score": 1 - p / 100} for p, n in placed
        ]
    },
    "score before number": lambda _: {
        "ranking": [{"score": 100 - p, "candidate_number": n} for p, n in placed]
    },
    "numbered titles": lambda titles: {
        "ranking": [f"{n}. {titles[n - 1]}" for n in LAST_FIRST]
    },
    "titles": lambda titles: {"ranking": titles[::-1]},
    "titles in lower case": lambda titles: {"ranking": [one.lower() for one in titles[::-1]]},
    "places as keys": lambda _: {"ranking": {str(p): n for p, n in placed}},
    "pairs": lambda _: {"ranking": [[p, n] for p, n in placed]},
    "a table": lambda titles: "| Place | Candidate |\n|---|---|\n"
    + "\n".join(f"| {p} | {n}. {titles[n - 1]} |" for p, n in placed),
    "one object a line": lambda _: "\n".join(
        json.dumps({"rank": p, "id": n}) for p, n in placed
    ),
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture(params=["json_schema", "function_calling", "json_mode", "plain"])
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ask(server: FaultServer, adjust: Callable[..., None], films: str) -> Callable[..., Any]:
    async def recommend(write: Write, method: str = "plain") -> dict[str, Any]:
        def speak(body: Body) -> str:
            document = read_document(str(body["messages"][1]["content"]))
            answer = write([entry["title"] for entry in document["candidates"]])
            return answer if isinstance(answer, str) else json.dumps(answer)

        adjust(base_url=server.url, api_key=SecretStr("sk-none"), structured=method)
        server.speak = speak
        model = f"openai:form-{uuid.uuid4().hex[:8]}"
        request: Any = {"domain": films, "history": IDS[:2], "candidates": CANDIDATES}
        context = Context(policy="none", model=model, record=False)
        return await graph.ainvoke(request, context=context)

    return recommend


def backwards(server: FaultServer) -> list[str]:
    document = read_document(server.asked[0].user)
    return [entry["title"] for entry in document["candidates"]][::-1]


def shown(result: dict[str, Any]) -> list[str]:
    return [item["title"] for item in result["items"]]


@pytest.mark.parametrize("write", CLEAN.values(), ids=CLEAN)
async def test_another_dress_is_read_without_a_flag(
    server: FaultServer, ask: Callable[..., Any], write: Write
) -> None:
    result = await ask(write)
    assert shown(result) == backwards(server)
    assert (result["flags"], result["llm_calls"]) == ([], 1)


@pytest.mark.parametrize("write", FLAGGED.values(), ids=FLAGGED)
async def test_another_form_is_read_as_it_is_meant_and_flagged(
    server: FaultServer, ask: Callable[..., Any], write: Write
) -> None:
    result = await ask(write)
    assert shown(result) == backwards(server)
    assert (result["flags"], result["llm_calls"]) == (["wrong_format"], 1)


@pytest.mark.parametrize("form", ["floats", "numbers as text"])
async def test_numbers_are_read_however_they_were_asked_for(
    server: FaultServer, ask: Callable[..., Any], method: str, form: str
) -> None:
    result = await ask(CLEAN[form], method)
    assert server.asked[0].method == method
    assert shown(result) == backwards(server)
    assert (result["flags"], result["llm_calls"]) == ([], 1)


@pytest.mark.parametrize("form", ["rank and candidate", "titles", "places as keys"])
async def test_other_forms_are_read_however_they_were_asked_for(
    server: FaultServer, ask: Callable[..., Any], method: str, form: str
) -> None:
    result = await ask(FLAGGED[form], method)
    assert server.asked[0].method == method
    assert shown(result) == backwards(server)


DOUBTFUL: dict[str, Write] = {
    "a word about each": lambda titles: "\n".join(
        f"{p}. {titles[n - 1]}, which fits" for p, n in placed
    ),
    "numbers that contradict the titles": lambda titles: {
        "ranking": [f"{p}. {titles[n - 1]}" for p, n in placed[:-2]] + ["3. Nothing", "4. Of it"]
    },
    "halves": lambda _: {"ranking": [n + 0.5 for n in LAST_FIRST]},
    "places alone": lambda _: {"ranking": [{"rank": p} for p, _ in placed]},
    "two lists": lambda _: {"first": LAST_FIRST[:4], "second": LAST_FIRST[4:]},
    "a refusal": lambda _: "I would need to know more.",
}


@pytest.mark.parametrize("write", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_what_cannot_be_read_for_sure_is_asked_for_again(
    server: FaultServer, ask: Callable[..., Any], write: Write
) -> None:
    turns = iter([write, CLEAN["fenced"]])
    result = await ask(lambda titles: (next(turns))(titles))  # noqa: PLW0108  # each turn anew
    assert shown(result) == backwards(server)
    assert {"wrong_format", "repaired"} <= set(result["flags"])
    assert result["llm_calls"] == 2


MESSAGES: dict[str, Body] = {
    "in reasoning_content": {"content": None, "reasoning_content": ranking},
    "in reasoning": {"content": None, "reasoning": ranking},
    "in reasoning_content, empty text": {"content": "", "reasoning_content": f"\n{ranking}\n"},
    "in parts": {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": draft}]},
            {"type": "text", "text": ranking},
        ]
    },
    "a draft in reasoning_content": {"content": ranking, "reasoning_content": draft},
    "a call of the old kind": {
        "content": None,
        "function_call": {"name": "ranking", "arguments": ranking},
    },
    "a call that nobody asked for": {
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "r", "arguments": ranking}}
        ],
    },
    "a call whose arguments are an object, as of TGI": {
        "content": None,
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "r", "arguments": json.loads(ranking)},
            }
        ],
    },
    "an answer that is an object": {"content": json.loads(ranking)},
    "a call whose arguments are encoded twice": {
        "content": None,
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "r", "arguments": json.dumps(ranking)},
            }
        ],
    },
    "no role": {"role": None, "content": ranking},
    "an empty call beside the answer": {
        "content": ranking,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "r", "arguments": "{}"}}
        ],
    },
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_an_answer_is_found_wherever_the_message_holds_it(
    server: FaultServer, ask: Callable[..., Any], message: Body
) -> None:
    answer = completion({"role": "assistant", **message})
    server.refuse = lambda _: (200, answer)
    result = await ask(lambda _: "")
    assert shown(result) == backwards(server)
    assert (result["flags"], result["llm_calls"]) == ([], 1)
