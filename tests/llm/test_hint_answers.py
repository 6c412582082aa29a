"""Hints and comparisons are read right however they are written, or not at all."""

# ruff: noqa: RUF001  # digits and signs of other scripts are what models write

from __future__ import annotations

import json

import pytest
from re2llm.llm.hints.answers import HINTS, read_cause, read_hints
from re2llm.llm.hints.repeat_answers import read_repeated

FIRST = "Prefer the newest films of the same director."
SECOND = "Weigh the country less than the genre."
BOTH = json.dumps({"hints": [FIRST, SECOND]})
ONE = json.dumps({"hints": [FIRST]})
OTHER = json.dumps({"hints": [SECOND]})
TWO_HINTS = [
    BOTH,
    json.dumps({"hints": [{"hint": FIRST}, {"hint": SECOND}]}),
    json.dumps({"hints": [{"id": 1, "text": FIRST, "cause": "The year was ignored."}, SECOND]}),
    json.dumps([{"hint": FIRST}, {"hint": SECOND}]),
    json.dumps({"hints": {"1": FIRST, "2": SECOND}}),
    json.dumps({"hints": {"hint_1": FIRST, "hint_2": SECOND}}),
    json.dumps({"hint_1": FIRST, "hint_2": SECOND}),
    json.dumps({"hints": {"hint": [FIRST, SECOND]}}),
    json.dumps({"hints": [[FIRST], [SECOND]]}),
    json.dumps({"hints": f"1. {FIRST}\n2. {SECOND}"}),
    json.dumps({"hints": [None, FIRST, 3, "none", SECOND]}),
    json.dumps({"name": "advise", "arguments": BOTH}),
    json.dumps({"hint": FIRST}) + "\n" + json.dumps({"hint": SECOND}),
    BOTH.replace("]", ",]").replace("}", ",}"),
    BOTH.replace('"', "'"),
    BOTH.replace('{"', "{").replace('":', ":"),
    BOTH[:-1],
    BOTH[:-2],
    f'{BOTH[:-2]}, "Do not',
    f"```json\n{BOTH}\n```",
    f"\ufeff{BOTH}",
    f"The set {{a, b}} of [them]: {BOTH}",
    f"<think>{OTHER}</think>{BOTH}",
    f"{ONE}\nBetter:\n{BOTH}",
    f"{BOTH}\nUser: more\nAssistant: {OTHER}",
    f"- {FIRST}\n- {SECOND}",
    f"1. **{FIRST}**\n2. **{SECOND}**",
    f"<hints><hint>{FIRST}</hint><hint>{SECOND}</hint></hints>",
]


@pytest.mark.parametrize("answer", TWO_HINTS)
def test_hints_are_read(answer: str) -> None:
    assert read_hints(answer) == [FIRST, SECOND]


NO_HINTS = [
    "none",
    '{"hints": []}',
    '{"hints": null}',
    '{"hints": ["none"]}',
    '{"hints": ["No hints needed here."]}',
    '{"hints": [1, 2]}',
    "[1, 2]",
    f'{{"cause": "It ignored ["{FIRST}", "{SECOND}',
    '{"hints": ["Prefer the new',
    json.dumps({"history": [FIRST]}),
]


@pytest.mark.parametrize("answer", NO_HINTS)
def test_what_is_no_hint_is_not_read(answer: str) -> None:
    assert read_hints(answer) == []


def test_the_form_is_kept_in_spite_of_slips() -> None:
    assert all(map(HINTS.fits, TWO_HINTS[:-3]))
    assert not any(map(HINTS.fits, ["none", f"- {FIRST}", '{"hints": null}', "[1, 2]"]))


def test_a_cause_may_stand_in_a_cut_answer() -> None:
    assert read_cause('<think>{"cause": "x"}</think>{"cause": "It ignored years.", "hin') == (
        "It ignored years."
    )


NONE = [
    "0",
    "none",
    "None of them",
    "None.",
    "Neither 1 nor 2 nor 3",
    "0 (none)",
    "0: it says something else",
    "It's a new hint: 0",
    "zero",
    '{"answer": 0}',
    "There are 3 known hints. 0",
    "-0",
    "No, 0",
    "Keine",
    "ninguno",
    "Of 3 hints none is the same",
    "0/3",
    "0 of 3",
    "None of the 3",
]
FIRST_ONE = [
    "Hint 1.",
    "1/3",
    "1\nUser: x\nAssistant: 2",
    "1st hint of 3",
    "The first one",
]
SECOND_ONE = [
    "2",
    "Of the 5 hints, it repeats 2",
    "It repeats hint 2 of 5",
    "2 of 3",
    "hint #2",
    "#2",
    "number 2",
    "No. 2",
    "The new hint is the same as 2",
    "It says the same as hint 2, not hint 1",
    "two",
    "Two",
    "second",
    "the second one",
    "2nd",
    '{"number": 2}',
    '{"hint": 2, "confidence": 0.9}',
    '{"number": 2, "reason": "Both 1 and 2 speak of it."}',
    "[2]",
    '"2"',
    "2.0",
    "\\boxed{2}",
    "<think>1 or 2?</think>2",
    "２",
    "②",
    "٢",
    "Answer: 2",
    "The answer is **2**.",
    "Comparing with the 3 known hints, hint 2 gives the same advice.",
    '"Hint 2"',
    "2\n\nBecause hint 1 is about years.",
    "The number is 2",
    "+2",
    "02",
    "2)",
    "(2)",
    "{2}",
    "Yes, 2",
    "Ja, 2",
    "第2条",
    "\u200b2",
    "\ufeff2",
    "Known hint 2 gives the same advice as the new hint.",
    "hint_2",
    '{"reasoning": "hint 1 is alike", "number": 2}',
    '{"number": "2"}',
    '{"number": 2.0}',
    '{"number": 2',
    "{'number': 2}",
    "Hint 2 (of 3) gives the same advice",
    "Among the three hints, it repeats the second",
    "<answer>2</answer>",
    "- 2",
    "* 2",
    "2 - same advice as hint 2",
    'Hint 2: "Prefer films of the 90s"',
    "Hint 2 because both prefer films after 1990",
]
THIRD_ONE = [
    "**3**",
    "It matches one of the hints: 3",
]
UNSURE = [
    "no",
    "-1",
    "1 and 2",
    "1, 2",
    "1 or 2",
    '{"repeats": null}',
    "[]",
    "2.5",
    "²",
    "It does not repeat any",
    "It does not repeat hint 2",
    "different from 2",
    "99",
    "4",
    "3 stars",
    "In 2 words: no",
    "Hint 1: different. Hint 2: same. Hint 3: different.",
    "1: no, 2: yes, 3: no",
    "1. It is new",
    "0 or 2",
    "I think it is 2, or maybe 3",
    "Hint 12",
    "1e0",
    "The new hint (5) is like 2",
    '{"number": -1}',
    '{"number": true}',
    "not 2",
    "2 hints are alike",
    "Two of them",
]


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        *((answer, 0) for answer in NONE),
        *((answer, 1) for answer in FIRST_ONE),
        *((answer, 2) for answer in SECOND_ONE),
        *((answer, 3) for answer in THIRD_ONE),
        *((answer, None) for answer in UNSURE),
    ],
)
def test_a_comparison_is_read(answer: str, number: int | None) -> None:
    assert read_repeated(answer, 3) == number


def test_a_count_of_hints_is_no_hint() -> None:
    assert read_repeated("Of the 5 hints, it repeats 2", 5) == 2
    assert read_repeated("It repeats 2 of the 5 hints", 5) == 2
    assert read_repeated("I compared all 5 hints: 3", 5) == 3
