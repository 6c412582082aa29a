"""An answer is found where its server leaves it: in a call, among the thoughts, or beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from re2llm.llm.client.answer import read_answer
from re2llm.llm.hints.answers import read_hints
from re2llm.llm.ranking_answers.answers import is_ranking, read_ranking
from re2llm.llm.ratings.answers import read_rating
from re2llm.llm.responses import answer_text
from re2llm.llm.structured import AnswerFormat
from re2llm.records import RatingScale

ORDER = (4, 2, 5, 1, 3)
DRAFT = json.dumps({"ranking": [1, 2, 3, 4, 5]})
ANSWER = json.dumps({"ranking": list(ORDER)})


def numbers(text: str, **fields: Any) -> tuple[int, ...]:
    return read_ranking(answer_text(AIMessage(text, **fields)), 5).numbers


THOUGHT = f"<|channel|>analysis<|message|>I compare {DRAFT}.<|end|><|start|>assistant"
CALLS = [
    "<|channel|>commentary to=functions.ranking <|constrain|>json<|message|>{}<|call|>",
    "<|channel|>commentary to=functions.ranking json<|message|>{}<|call|>",
    "<|channel|>commentary to=ranking<|message|>{}",
    " to=functions.ranking<|channel|>commentary <|constrain|>json<|message|>{}<|call|>",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_the_text_is_the_answer(call: str) -> None:
    assert numbers(THOUGHT + call.replace("{}", ANSWER)) == ORDER
    final = f"<|channel|>final<|message|>{ANSWER}<|return|>"
    assert numbers(THOUGHT + call.replace("{}", DRAFT) + f"<|start|>assistant{final}") == ORDER
    assert numbers(THOUGHT + call.replace("{}", ANSWER[:-5])) == ()


@pytest.mark.parametrize("call", ["commentary to=functions.ranking json", "commentary to=ranking "])
def test_so_is_one_without_special_tokens(call: str) -> None:
    assert numbers(f"analysisI compare {DRAFT}.assistant{call}{ANSWER}") == ORDER
    assert numbers(f"analysisI compare {DRAFT} as I think of commentary") == ()


@pytest.mark.parametrize("name", ["tool_call_id", "toolCallId", "call_index", "request_id"])
def test_the_number_of_a_call_is_no_candidate(name: str) -> None:
    held = {"tool_name": "ranking", "parameters": {"ranking": list(ORDER)}}
    for call in ({name: "0", **held}, {name: 3, **held}):
        assert numbers(json.dumps([call])) == ORDER
        assert numbers(json.dumps(call)) == ORDER
        assert is_ranking(json.dumps([call]))


def test_a_number_beside_a_list_may_still_be_its_first() -> None:
    for name in ("best", "item_id", "winner"):
        assert numbers(json.dumps({name: 3, "rest": [4, 2, 5, 1]})) == ()


STEPS = "<analyze user>a</analyze user><analyze item>b</analyze item><match>c</match>"
MISPLACED = [
    f"```json\n{ANSWER}\n```",
    f"\n```\n{ANSWER}\n```\n",
    f"I compare {DRAFT}.</think>\n{ANSWER}",
    f"<think>{DRAFT}</think>{ANSWER}",
    f"  {ANSWER}\n",
    THOUGHT + CALLS[0].replace("{}", ANSWER),
]


@pytest.mark.parametrize("content", ["", "\n", "  \n\n"])
@pytest.mark.parametrize("thoughts", MISPLACED)
def test_an_answer_among_the_thoughts_is_found(thoughts: str, content: str) -> None:
    assert numbers(content, additional_kwargs={"reasoning_content": thoughts}) == ORDER
    assert numbers(ANSWER, additional_kwargs={"reasoning_content": DRAFT}) == ORDER


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_whole_rating_among_them_is_found(content: str) -> None:
    thoughts = {"reasoning_content": f"\n{STEPS}<rate>4</rate>\n"}
    found = read_rating(
        answer_text(AIMessage(content, additional_kwargs=thoughts)), RatingScale(1, 5)
    )
    assert found.rating == 4
    assert found.valid


@pytest.mark.parametrize(
    "thoughts",
    [
        f"I compare {DRAFT}.",
        f"First {DRAFT}, then\n{ANSWER} or not",
        f"```json\n{DRAFT}\n```\nBut they like war.",
        "[1, 2, 3, 4, 5]",
        f"{STEPS}<rate>4</rate> or 5?",
        None,
        7,
    ],
)
def test_other_thoughts_are_no_answer(thoughts: Any) -> None:
    message = AIMessage("", additional_kwargs={"reasoning_content": thoughts})
    assert not answer_text(message)


def test_an_empty_call_before_the_answer_is_passed_over() -> None:
    empty: Any = {"name": "ranking", "args": {}, "id": "1"}
    full: Any = {"name": "ranking", "args": json.loads(ANSWER), "id": "2"}
    assert numbers("", tool_calls=[empty, full]) == ORDER
    assert numbers("", tool_calls=[full, empty]) == ORDER
    broken: Any = {"name": "ranking", "args": ANSWER[:-1], "id": "3", "error": "cut"}
    nothing: Any = {**broken, "args": ""}
    assert numbers("", invalid_tool_calls=[nothing, broken]) == ORDER
    assert numbers(ANSWER, tool_calls=[empty]) == ORDER


def call(name: str, **args: Any) -> Any:
    return {"name": name, "args": args, "id": name}


OTHER_CALLS = [
    call("think", thought="They like war."),
    call("plan", order=[1, 2, 3, 4, 5]),
    call("draft", ranking=[1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call["name"])
def test_of_several_calls_the_tool_that_was_asked_for_counts(other: Any) -> None:
    right = call("ranking", ranking=list(ORDER))
    schema = AnswerFormat({"title": "ranking"}, is_ranking)
    for calls in ([other, right], [right, other], [other, right, other]):
        answered = read_answer(AIMessage("", tool_calls=calls), "function_calling", schema)
        assert answered.fits
        assert read_ranking(answered.text, 5).flags == []
        assert read_ranking(answered.text, 5).numbers == ORDER
    cut: Any = {"name": "ranking", "args": ANSWER[:-1], "id": "3", "error": "cut"}
    text = answer_text(AIMessage("", tool_calls=[other], invalid_tool_calls=[cut]), "ranking")
    assert read_ranking(text, 5).numbers == ORDER
    written = [CALLS[0].replace("ranking", one["name"], 1) for one in (other, right)]
    said = [
        form.replace("{}", json.dumps(one["args"]))
        for form, one in zip(written, (other, right), strict=True)
    ]
    for texts in (said, said[::-1]):
        assert read_ranking(answer_text(AIMessage("".join(texts)), "ranking"), 5).numbers == ORDER


def test_calls_of_one_tool_are_read_as_lines_of_a_text() -> None:
    first, last = json.loads(DRAFT)["ranking"], list(ORDER)
    calls = [call("ranking", ranking=first), call("ranking", ranking=last)]
    read = read_ranking(answer_text(AIMessage("", tool_calls=calls), "ranking"), 5)
    assert (read.numbers, read.flags) == (ORDER, ["wrong_format"])
    parted = [call("ranking", ranking=last[:3]), call("ranking", ranking=last[3:])]
    assert numbers("", tool_calls=parted) == ()
    twice = [calls[1], calls[1]]
    read = read_ranking(answer_text(AIMessage("", tool_calls=twice), "ranking"), 5)
    assert (read.numbers, read.flags) == (ORDER, [])
    assert numbers("", tool_calls=[OTHER_CALLS[0], call("rank_films", ranking=last)]) == ORDER


@pytest.mark.parametrize("name", ["ranking", "functions.ranking"])
@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call["name"])
def test_a_cut_call_of_the_right_tool_counts_before_others(other: Any, name: str) -> None:
    cut: Any = {"name": name, "args": ANSWER[:-1], "id": "3", "error": "cut"}
    message = AIMessage("", tool_calls=[other], invalid_tool_calls=[cut])
    assert read_ranking(answer_text(message, "ranking"), 5).numbers == ORDER


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call["name"])
def test_an_answer_beside_an_invented_call_is_found(other: Any) -> None:
    text = answer_text(AIMessage(ANSWER, tool_calls=[other]), "ranking")
    assert read_ranking(text, 5).numbers == ORDER
    right = call("rank_films", ranking=list(ORDER))
    text = answer_text(AIMessage("Let me rank the 5 films.", tool_calls=[right]), "ranking")
    assert read_ranking(text, 5).numbers == ORDER
    thoughts = {"reasoning_content": DRAFT}
    message = AIMessage("", tool_calls=[right], additional_kwargs=thoughts)
    assert read_ranking(answer_text(message, "ranking"), 5).numbers == ORDER
    hints = AIMessage('{"hints": ["Prefer war films."]}', tool_calls=[OTHER_CALLS[0]])
    assert read_hints(answer_text(hints, "hints")) == ["Prefer war films."]


def test_hints_of_several_calls_are_all_kept() -> None:
    said = ["Prefer war films.", "Weigh the last film most.", "Avoid sequels."]
    for parts in ([said, []], [[], said], [[one] for one in said], [said[:2], said[1:]]):
        calls = [call("hints", hints=part) for part in parts]
        text = answer_text(AIMessage("", tool_calls=calls), "hints")
        assert read_hints(text) == said
    draft, final = (json.dumps({"hints": [one]}) for one in said[:2])
    assert read_hints(f"A draft: {draft}\nBetter: {final}") == said[1:2]
    assert read_hints(f'{draft}\nThis names a genre, so none: {{"hints": []}}') == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["commentary to=a", "commentary to=a{", "to=a<|channel|>", "to="])
def test_long_answers_are_searched_in_no_time(part: str) -> None:
    answer_text(AIMessage("<|channel|>" + part * 9_000))
    answer_text(AIMessage("", additional_kwargs={"reasoning_content": part * 9_000}))
    answer_text(AIMessage("", additional_kwargs={"reasoning_content": "```\n" * 25_000}))
