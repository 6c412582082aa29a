"""A line such as "History: …" may be part of an answer; an invented turn behind it is not."""

from __future__ import annotations

import json
import time

import pytest
from langchain_core.messages import AIMessage
from re2llm.llm.hints.answers import read_hints
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.llm.ratings.answers import read_rating
from re2llm.llm.responses import answer_text
from re2llm.llm.text.turns import first_turn
from re2llm.records import Item, RatingScale

TITLES = ["Ark", "Dune", "Kong", "Ran", "Up", "Nine Lives"]
ITEMS = [Item(str(number), title) for number, title in enumerate(TITLES, start=1)]
DRAFT, FINAL = [4, 1, 6, 2, 3, 5], [5, 2, 6, 1, 4, 3]


def numbers(text: str) -> tuple[int, ...]:
    return read_ranking(answer_text(AIMessage(text)), 6, ITEMS).numbers


def ranking(listed: list[int]) -> str:
    return json.dumps({"ranking": listed})


def titles(listed: list[int], form: str = "{place}. {title}") -> str:
    return "\n".join(
        form.format(place=place, title=TITLES[number - 1], number=number)
        for place, number in enumerate(listed, start=1)
    )


DRAFTS = [
    "First guess by popularity: {}.",
    "Initial ranking: {}",
    "My first draft is {}.",
    "Let me see.\n\nTentative order:\n{}",
    "By popularity alone:\n```json\n{}\n```",
    "Order of the evidence: {}\n",
    "As they stand: {}",
]
LABELS = ["History: mostly war films.", "User: likes war.", "Question: who?", "**Input:** films"]


@pytest.mark.parametrize("answer", ["Answer: {}", "Ranking: {}", "So:\n{}", "Final ranking:\n{}"])
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("draft", DRAFTS)
def test_no_draft_wins_over_the_answer_behind_it(draft: str, label: str, answer: str) -> None:
    for written in (str, ranking):
        text = f"{draft.format(written(DRAFT))}\n{label}\n{answer.format(written(FINAL))}"
        assert numbers(text) in {tuple(FINAL), ()}
    text = f"{DRAFTS[0].format(DRAFT)}\n{label}\n{answer.format(FINAL)}"
    assert numbers(text) == tuple(FINAL)


@pytest.mark.parametrize(
    "form",
    ["{place}. {title}", "- {title}", "{place}. Candidate {number}", "* {number}", "{title}"],
)
@pytest.mark.parametrize("between", ["\nHistory: war films.\nAnswer:\n", "\n\nFinal:\n"])
def test_nor_does_one_of_lines(form: str, between: str) -> None:
    text = f"First guess:\n{titles(DRAFT, form)}{between}{titles(FINAL, form)}"
    assert numbers(text) in {tuple(FINAL), ()}
    if "number" not in form:
        assert read_titles(text, ITEMS).numbers in {tuple(FINAL), ()}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("before", ["Let me look.", "They like war.\n", "Here we go:", "Thinking…"])
def test_words_without_an_answer_end_no_turn(before: str, label: str) -> None:
    assert numbers(f"{before}\n{label}\nAnswer: {ranking(FINAL)}") == tuple(FINAL)
    rated = read_rating(f"{before}\n{label}\nItem: Ark.\nAnswer: 4", RatingScale(1, 5))
    assert rated.rating == 4
    assert read_hints(f'{before}\n{label}\nAnswer: {{"hints": ["Prefer war films."]}}')


INVENTED = ["User: more\nAssistant: {}", "Human: more\n\nAI: {}", "Q: more\nA: {}"]


@pytest.mark.parametrize("then", INVENTED)
@pytest.mark.parametrize(
    "said",
    [
        "{}",
        "Ranking, best first: {}",
        "My guess: {}",
        "They like war.\nThe best are {}",
        "Top:\n{}",
    ],
)
def test_an_invented_turn_stays_cut(said: str, then: str) -> None:
    assert numbers(f"{said.format(FINAL)}\n{then.format(DRAFT)}") == tuple(FINAL)
    assert read_rating(f"Rating: 4\n{then.format(2)}", RatingScale(1, 5)).rating == 4
    hint = '{"hints": ["Prefer war films."]}'
    assert read_hints(f"{hint}\n{then.format(hint.replace('war', 'new'))}") == ["Prefer war films."]


@pytest.mark.parametrize("name", ["think", "thinking", "reasoning"])
@pytest.mark.parametrize("end", ["<|im_end|>\n", "\n", ""])
def test_a_turn_of_thoughts_is_no_answer(name: str, end: str) -> None:
    thought = f"<|im_start|>{name}\n{ranking(DRAFT)}{end}"
    for answer in (ranking(FINAL), f"Answer: {ranking(FINAL)}"):
        assert numbers(f"{thought}<|im_start|>answer\n{answer}<|im_end|>") == tuple(FINAL)
        assert numbers(f"{ranking(DRAFT)}{end}<|im_start|>answer\n{answer}") == tuple(FINAL)
    if end.strip():
        assert numbers(thought + ranking(FINAL)) == tuple(FINAL)
    assert numbers(f"<|im_start|>{name}\nI compare 4, 1 and 6.") == ()


def test_the_answer_of_an_invented_turn_is_not_read() -> None:
    following = "<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>answer\n"
    assert numbers(ranking(FINAL) + following + ranking(DRAFT)) == tuple(FINAL)


@pytest.mark.parametrize(
    "part",
    ["User: a\n", "User: 1, 2, 3\n", "- a\n", "[1, 2, 3] User: ", "1, ", "{ ", "Answer: 1\n"],
)
def test_long_answers_are_cut_in_no_time(part: str) -> None:
    text = part * (90_000 // len(part))
    began = time.monotonic()
    first_turn(f"Draft: {text}")
    first_turn(f"{text}\nUser: more\nAssistant: {text}")
    assert time.monotonic() - began < 5
