"""Of a list of hints only the hints are read: no analysis, no heading, no refusal."""

# ruff: noqa: RUF001, RUF005  # signs of other scripts are what models write

from __future__ import annotations

import json

import pytest
from re2llm.llm.hints.answers import read_hints

FIRST = "Prefer films that share a genre with the history."
SECOND = "Rank a film lower if its country is new."
MISTAKES = ["The ranking ignored the genre Crime.", "It favoured recent films too much."]
HINTS = [FIRST, SECOND]


def listed(entries: list[str], mark: str) -> str:
    return "\n".join(mark.format(number) + one for number, one in enumerate(entries, start=1))


@pytest.mark.parametrize("mark", ["{}. ", "- ", "* ", "{}) ", "• "])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("**Mistakes**", "**Hints**"),
        ("## Analysis", "## Hints"),
        ("Summary of mistakes:", "Hints:"),
        ("**Summary of mistakes:**", "**Hints:**"),
        ("What went wrong:", "Here are the hints:"),
        ("### Causes", "### Hints to avoid these mistakes"),
        ("**Fehler:**", "**Hinweise:**"),
        ("Erreurs :", "Conseils :"),
        ("The ranking made these mistakes:", "I suggest:"),
    ],
)
def test_an_analysis_is_no_hint(before: str, after: str, mark: str) -> None:
    text = f"{before}\n{listed(MISTAKES, mark)}\n\n{after}\n{listed(HINTS, mark)}"
    assert read_hints(text) == HINTS
    behind = f"{after}\n{listed(HINTS, mark)}\n\n{before}\n{listed(MISTAKES, mark)}"
    assert read_hints(behind) == HINTS
    assert read_hints(f"{before}\n{listed(MISTAKES, mark)}") == []


@pytest.mark.parametrize(
    "heading",
    ["To avoid this mistake:", "Based on the errors above, the model should:", "In summary:"]
    + ["To fix these problems:", "**Lessons from the mistakes**", "### Key observations"]
    + ["Reasons for the misses and how to fix them:", "为了避免这些错误：", "## Summary"]
    + ["Hints based on these mistakes:", "Rules derived from the errors:", "Next time:"]
    + [
        "Um diese Fehler zu vermeiden:",
        "Pour éviter ces erreurs :",
        "The model missed these rules:",
    ]
    + [
        "The ranking missed the following:",
        "Overview of improvements:",
        "Corrections of the errors:",
    ],
)
def test_a_heading_may_say_what_to_do_about_mistakes(heading: str) -> None:
    for mark in ("{}. ", "- "):
        hints = f"{heading}\n{listed(HINTS, mark)}"
        assert read_hints(hints) == HINTS
        assert read_hints(f"## Analysis\n{listed(MISTAKES, mark)}\n\n{hints}") == HINTS
        assert read_hints(f"**Mistakes**\n{listed(MISTAKES, '- ')}\n{hints}") == HINTS


@pytest.mark.parametrize(
    "mark",
    ["Hint {}: ", "**Hint {}:** ", "Hint {}. ", "- Hint {}: ", "{}. **Hint:** ", "**Hint {}**: "]
    + ["Rule {} – ", "Tip #{}: ", "* **Advice {}:** ", "Hinweis {}: ", "提示{}：", "- "],
)
def test_a_label_is_no_part_of_a_hint(mark: str) -> None:
    assert read_hints(listed(HINTS, mark)) == HINTS
    assert read_hints(f"Here they are:\n\n{listed(HINTS, mark)}") == HINTS
    labelled = [mark.format(1).lstrip("-* ").lstrip("1. ") + FIRST]
    assert read_hints(json.dumps({"hints": labelled})) == [FIRST]


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I can't assist with that.", "I cannot provide hints for this."]
    + ["Sorry, I am unable to give advice here.", "As an AI, I won't judge these films."]
    + ["Unfortunately I can't help with this request.", "Es tut mir leid, das kann ich nicht."]
    + ["Je ne peux pas donner de conseils ici.", "Lo siento, no puedo ayudar con esto."]
    + ["抱歉，我无法为此提供任何有用的提示。"],
)
def test_a_refusal_is_no_hint(text: str) -> None:
    assert read_hints(json.dumps({"hints": [text]})) == []
    assert read_hints(f"- {text}") == []
    assert read_hints(json.dumps({"hints": [text, FIRST]})) == [FIRST]


@pytest.mark.parametrize(
    "hint",
    ["If no candidate shares a genre, prefer the newest: they cannot help but follow trends."]
    + ["Weigh genres that the history cannot support less than those it can."]
    + ["**Genre:** prefer films of the same genre.", "Ignore what users are sorry to have seen."],
)
def test_a_hint_may_use_the_same_words(hint: str) -> None:
    plain = hint.replace("*", "")
    assert read_hints(json.dumps({"hints": [hint]})) == [plain]
    assert read_hints(f"- {hint}") == [plain]
    assert read_hints(f"**Mistakes:** none.\n1. {hint}") == [plain]


REMARKS = [
    "For session 1, the model ranked horror films over comedies.",
    "When the history had thrillers, the model still ranked comedies high.",
    "If a film is old, the model puts it last.",
]


@pytest.mark.parametrize("mark", ["{}. ", "- "])
@pytest.mark.parametrize(
    "heading",
    [
        "**Mistakes**",
        "## Analysis",
        "Mistakes to avoid:",
        "Problems to solve:",
        "Main errors to fix:",
    ]
    + ["The most common mistakes the model should avoid:", "Erreurs à éviter :"],
)
def test_remarks_about_mistakes_are_no_hints(heading: str, mark: str) -> None:
    remarks = f"{heading}\n{listed(REMARKS, mark)}"
    assert read_hints(remarks) == []
    assert read_hints(f"{remarks}\n\nHint: {FIRST}") == [FIRST]
    assert read_hints(f"{remarks}\n\n{listed(HINTS, '**Hint {}:** ')}") == HINTS
    assert read_hints(f"{heading}\n{listed([*REMARKS, FIRST], mark)}") == [FIRST]
    told = "When the history holds thrillers, prefer those."
    assert read_hints(f"{heading}\n{listed([*REMARKS, told], mark)}") == [told]


def test_of_labelled_hints_and_plain_lines_advice_alone_is_kept() -> None:
    assert read_hints(f"{listed(REMARKS, '- ')}\n\nHint: {FIRST}") == [FIRST]
    assert read_hints(f"{listed(HINTS, '- ')}\nTip: Look at the year.") == [
        *HINTS,
        "Look at the year.",
    ]


@pytest.mark.parametrize(
    "heading",
    ["## How to fix the errors", "## Improvements", "To avoid these mistakes:", "**Lessons**"]
    + ["Pour éviter ces erreurs :", "**How to do better next time**"],
)
def test_what_heads_a_history_gives_way_to_what_is_to_be_done(heading: str) -> None:
    before = f"## Session history\n{listed(['The user watched war films.'], '- ')}"
    assert read_hints(f"{before}\n\n{heading}\n{listed(HINTS, '- ')}") == HINTS


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["**a", "- ", "1. ", "Hint 1: ", "a:", "#", "Mistakes:\n- a\n"])
def test_long_lists_take_no_time(part: str) -> None:
    read_hints(part * 9_000)
