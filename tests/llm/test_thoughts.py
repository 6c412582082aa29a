"""What a model thinks is cut out of what it says, in any of the ways that servers leave it in."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from re2llm.llm.chat.calls import fit_answer
from re2llm.llm.client.answer_stream import AnswerOnlyModel, ChatTraits, StreamedAnswer
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.text.thought_marks import MARKS as ALL_MARKS
from re2llm.llm.text.thought_marks import safe_length
from re2llm.llm.text.thoughts import without_thoughts, without_thoughts_in

HARMONY = "<|channel|>analysis<|message|>draft<|end|><|start|>assistant"
THOUGHTS = {
    "<think>draft</think>Hello": "Hello",
    "\n<thinking>\na <b> c\n</thinking>\n1. Heat": "\n\n1. Heat",
    "[THINK]draft[/THINK]Hello": "Hello",
    "<THINK>draft</Think>Hello": "Hello",
    "<seed:think>draft</seed:think>Hello": "Hello",
    "<reasoning>\ndraft\n</reasoning>\nHello": "\nHello",
    "<thinking>draft<reflection>more</reflection></thinking>Hello": "Hello",
    "<|begin_of_thought|>draft<|end_of_thought|>Hello": "Hello",
    "◁think▷draft◁/think▷Hello": "Hello",
    "<think>one</think>Hel<think>two</think>lo": "Hello",
    "<think>a <think>b</think> c</think>Hello": "Hello",
    "<think>cut off in the middle": "",
    "Hello\n<think>cut off in the middle": "Hello\n",
    "draft\n</think>\nHello": "\nHello",
    "draft</think>Hello": "Hello",
    "draft</think>": "",
    "draft\n[/THINK]\nHello": "\nHello",
    "draft[/thinking]Hello": "Hello",
    f"{HARMONY}<|channel|>final<|message|>Hello": "Hello",
    f"{HARMONY}<|channel|>final<|message|>Hello<|return|>": "Hello",
    "<|channel|>analysis draft <|channel|>final<|message|>{}": "{}",
    "<|start|>assistant<|channel|>analysis<|message|>cut off": "",
    "<|channel|>commentary to=functions.rate<|message|>{}<|call|>": "",
    "<|channel|>final<|message|>Hello<|end|>": "Hello",
    f"{HARMONY}<|channel|>commentary<|message|>Hello<|end|>": "Hello",
    "<|channel|>commentary<|message|>Hello<|return|>": "Hello",
    "<|start|>assistant<|channel|>commentary<|message|>?redirect_to=x": "?redirect_to=x",
    "<|channel|>analysis<|message|>Set to=x?<|end|><|start|>assistant"
    "<|channel|>commentary<|message|>Hello<|end|>": "Hello",
    "<|channel|>commentary <|constrain|>json<|message|>{}": "",
    '<|channel|>commentary<|constrain|>json<|message|>{"titles": ["Heat"]}<|call|>': "",
    "<|channel|>commentary json<|message|>[1]": "",
    "<|channel|>commentary code<|message|>find(1)": "",
    '<|channel|>commentary<|message|>{"titles": ["Heat"]}': "",
    "<|channel|>commentary<|message|>find(1)<|call|>": "",
    "<|channel|>commentary<|message|>1. Heat\n2. Alien<|end|><|start|>assistant"
    "<|channel|>analysis<|message|>wait, the better order is 2, 1": "",
    "<|channel|>commentary<|message|>1. Heat<|end|><|start|>assistant"
    "<|channel|>commentary<|message|>2. Alien<|end|>": "2. Alien",
    "<|channel|>commentary<|message|>I look.<|end|><|start|>functions.find_titles"
    '<|channel|>commentary<|message|>{"found": 1}<|end|>': "",
    "<|channel|>commentary<|message|>I look.<|end|><|start|>functions.find_titles"
    "<|channel|>commentary<|message|>found<|end|>": "",
    "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.rate": "",
    "<|channel|>commentary to=functions.rate<|message|>{}<|call|><|start|>assistant"
    "<|channel|>commentary<|message|>It is rated.<|end|>": "",
    f"<|channel|>commentary<|message|>I look.<|end|>{HARMONY}<|channel|>final<|message|>Hi": "Hi",
    "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant"
    "<|channel|>commentary to=functions.rate<|message|>{}<|call|>": "",
    "analysisThe person waves.assistantfinalHello": "Hello",
    "<|START_THINKING|>draft<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>": "Hello",
    "<|thinking|>draft<|/thinking|>Hello": "Hello",
    "<unused94>thought\ndraft<unused95>Hello": "Hello",
    "<|channel>thought\ndraft<channel|>Hello": "Hello",
    "<|inner_prefix|>draft<|inner_suffix|>Hello": "Hello",
    '<think duration="3">draft</think >Hello': "Hello",
    "&lt;think&gt;draft&lt;/think&gt;Hello": "Hello",
    "<scratchpad>\ndraft</scratchpad>Hello": "Hello",
    "<Thought_Process>draft</Thought_Process>Hello": "Hello",
    "[REASONING]draft[/REASONING]Hello": "Hello",
    "```thinking\ndraft\n```\nHello": "\nHello",
    "```reasoning\ncut off": "",
    '<details type="reasoning" done="true">\ndraft\n</details>\nHello': "\nHello",
    "Here is my thought process: draft\nHere is my response: Hello": "Hello",
    "Here's my thought process: cut off": "",
    "\n here IS my Thought process: draft\nhere is my response: Hello": "Hello",
    "<think>draft</think>\n<answer>Hello</answer>\n": "Hello",
    "<think>draft</think>\n<response>Hello": "Hello",
    "analysisThe person": "",
    "<longcat_think>draft</longcat_think>Hello": "Hello",
    "<mm:think>draft</mm:think>Hello": "Hello",
    "<antThinking>draft</antThinking>Hello": "Hello",
    "<thinking>draft</thinking>Hello": "Hello",
    "<internal_thoughts>draft</internal_thoughts>Hello": "Hello",
    "<model-reasoning>draft</model-reasoning>Hello": "Hello",
    "<think_fast>draft</think_fast>Hello": "Hello",
    "Hello\n<internal_thoughts>cut off": "Hello\n",
}
RANKING = '{"ranking": [3, 1, 2]}'
UNMARKED = [
    f"Here's my thought process: they like westerns.\n\n{RANKING}",
    f"Here is my thought process:\n1. Westerns.\n{{}}\n```json\n{RANKING}\n```",
    f"here is my thought process: fine. {RANKING}",
    f"[Thinking]\nThey like westerns.\n[Answer]\n{RANKING}",
    f"[Thinking]\nThey like westerns.\n{RANKING}",
    f"<thought process>\nThey like westerns\n\n{RANKING}",
    f"<think>\nThey like westerns\n\n{RANKING}",
    f"<think>\nThey like westerns\n<answer>{RANKING}</answer>",
    f"<think>\nNot this:\n[1, 2, 3]\nThis:\n```json\n{RANKING}\n```\n",
    f"<think>{RANKING}",
    f"<analysis>\nThey like westerns\n\n{RANKING}",
    f"{RANKING}\n</analysis>",
    f"{RANKING}</think>",
    f"<|START_THINKING|>Westerns<|START_RESPONSE|>{RANKING}<|END_RESPONSE|>",
    f"```thinking\nThey like westerns```\n{RANKING}",
    f"```thinking\nThey like westerns\n\n{RANKING}",
    f'<details type="reasoning">\nThey like westerns\n</DETAILS>\n{RANKING}',
    f"analysisThe person likes westerns.\n{RANKING}",
]
DRAFTS = [
    f"<think>\n{RANKING}\n</think>",
    f"<think>\n{RANKING}\nOr rather",
    f"<think>\nPerhaps {RANKING}",
    "<think>\nSee\n[1] and\n[2]>[3]",
    f"```thinking\n{RANKING}\n```",
    f'<details type="reasoning">\n{RANKING}\n</details>',
    f"<|channel|>analysis<|message|>\n{RANKING}\n<|end|>",
    "Here's my thought process: see [1]\nand {}\n",
]
WORDS = [
    "",
    "Hello",
    "1. Heat\n2. The </think> tag",
    "I <think> so",
    "analysis of Heat",
    "a < b and [1]",
    "</ think>",
    "[Reasoning] It fits.",
    "<answer>A</answer> or <answer>B</answer>",
    "A `thinking` person",
    "<details>\nMore\n</details>",
    "Here is my response: Hello",
    "<thought process>\nHello",
]
MARKS = ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>", "<|message|>", "<|end|>"]
MARKS += ["<THINK>", "</reasoning>", "◁think▷", "<|START_THINKING|>", "[/REASONING]"]
PIECES = st.lists(
    st.sampled_from([*MARKS, "final", "analysis", "assistantfinal", "\n", " ", "a", "<", "["])
)


@pytest.mark.parametrize(("text", "said"), THOUGHTS.items())
def test_thoughts_are_cut(text: str, said: str) -> None:
    assert without_thoughts(text) == said


@pytest.mark.parametrize("turn", ["", "<|start|>assistant"])
def test_words_before_the_channels_make_none_of_them_the_answer(turn: str) -> None:
    assert without_thoughts(f"1. Foo{turn}<|channel|>commentary<|message|>9, 8") == ""


@pytest.mark.parametrize("text", UNMARKED)
def test_a_ranking_is_found_whose_model_forgot_a_mark(text: str) -> None:
    assert read_ranking(without_thoughts(text), 3).numbers == (3, 1, 2)


@pytest.mark.parametrize("text", DRAFTS)
def test_a_draft_in_a_thought_is_no_answer(text: str) -> None:
    assert without_thoughts(text).strip() == ""


@pytest.mark.parametrize("text", WORDS)
def test_words_stay_as_they_are(text: str) -> None:
    assert without_thoughts(text) == text


@given(PIECES.map("".join))
def test_what_was_thought_first_is_never_said(pieces: str) -> None:
    for opening, closing in (("<think>", "</think>"), ("[THINK]", "[/THINK]")):
        inside = pieces.replace("<|channel|>", "")
        assert "SECRET" not in without_thoughts(f"{opening}SECRET{closing}{inside}")
        assert "SECRET" not in without_thoughts(f"{opening}SECRET")


@pytest.mark.long
@pytest.mark.parametrize(
    "piece",
    [
        *MARKS,
        "<think> ",
        "\n<think>",
        " </think> ",
        "<",
        "[",
        "<think ",
        "\n```thinking",
        "<details reasoning",
        " \t",
        "<|channel|>final ",
        "<|start|>assistant<|channel|>commentary<|message|>a",
    ],
)
@pytest.mark.timeout(60)  # quadratic time would take an hour
def test_it_takes_linear_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    without_thoughts(text)


def test_blocks_and_fields_of_thoughts_are_cut() -> None:
    message = AIMessage(
        [
            {"type": "reasoning", "reasoning": "draft"},
            {"type": "thinking", "thinking": "draft", "signature": "x"},
            {"type": "text", "text": "<think>draft</think>Hello"},
        ],
        additional_kwargs={"reasoning_content": "draft", "refusal": None},
    )
    said = without_thoughts_in(message)
    assert said.text == "Hello"
    assert "draft" not in said.model_dump_json()
    assert "refusal" in said.additional_kwargs
    assert "draft" in message.model_dump_json()


def test_a_message_that_calls_tools_keeps_what_its_provider_asks_back() -> None:
    thought = {"type": "thinking", "thinking": "draft", "signature": "x"}
    call: Any = {"name": "rate", "args": {}, "id": "1", "type": "tool_call"}
    message = AIMessage([thought, {"type": "text", "text": "<think>so</think>"}], tool_calls=[call])
    said = without_thoughts_in(message)
    assert said.content == [thought]
    assert said.text == ""


async def streamed(text: str, aloud: bool | None) -> tuple[list[str], ChatTraits]:
    traits = ChatTraits(emits_reasoning=aloud)
    record = StreamedAnswer(traits)
    inner = GenericFakeChatModel(messages=iter([AIMessage(text)]))
    model = AnswerOnlyModel(inner=inner, streamed=record, cache=False)
    parts = [part.text async for part in model.astream([HumanMessage("Hi")])]
    assert record.answer is not None
    assert record.answer.text == fit_answer(AIMessage(text), ()).text
    return [str(part) for part in parts if part], traits


@pytest.mark.parametrize("aloud", [None, True, False])
@pytest.mark.parametrize("text", [t for t in THOUGHTS if not t.startswith("draft")])
async def test_no_word_of_a_thought_is_streamed(text: str, aloud: bool | None) -> None:
    parts, traits = await streamed(text, aloud)
    assert "".join(parts).strip() == THOUGHTS[text].strip()
    assert traits.emits_reasoning is not (aloud is None and THOUGHTS[text] == text)


@pytest.mark.parametrize("text", [*UNMARKED, *DRAFTS])
async def test_no_word_before_an_unmarked_answer_is_streamed(text: str) -> None:
    parts, _ = await streamed(text, aloud=False)
    assert "westerns" not in "".join(parts) or "<thought process>" in text


@example("\n[[think]", 0)
@given(st.lists(st.sampled_from([*ALL_MARKS, *"<[&`|/ \nkT"])).map("".join), st.integers(0, 30))
def test_a_stream_waits_at_the_first_mark_or_its_beginning(text: str, cut: int) -> None:
    text = text[: len(text) - cut] if cut else text
    ahead = text.lower()
    first = (
        at
        for at in range(len(text))
        if any(ahead.startswith(m, at) or m.startswith(ahead[at:]) for m in ALL_MARKS)
    )
    most = next(first, len(text))
    safe = safe_length(text, begins=False)
    # A tag may have any prefix, so that each one is waited for until it is whole; a bracket that
    # begins a later line may begin a call. Blanks and quotation marks wait for what follows them.
    waits = text[safe:most].lstrip(" \n`")
    blanks = text[safe : most - len(waits)]
    assert safe <= most
    assert not waits or waits[0] in "<&" or (waits[0] == "[" and "\n" in blanks)


@pytest.mark.parametrize("text", ["draft more</think>Hello", "draft more\n</think>\n\nHello you"])
async def test_a_thought_whose_beginning_is_unmarked_is_not_streamed(text: str) -> None:
    for aloud in (None, True):
        parts, traits = await streamed(text, aloud)
        assert "draft" not in "".join(parts)
        assert traits.emits_reasoning


async def test_a_model_that_keeps_its_thoughts_to_itself_is_streamed() -> None:
    text = "How about Heat? a < b [1]"
    parts, traits = await streamed(text, aloud=None)
    assert parts == [text]
    assert traits.emits_reasoning is False
    parts, traits = await streamed(text, aloud=False)
    assert len(parts) > 5
    assert "".join(parts) == text


@pytest.mark.parametrize("text", ["a\n</think>analysis", "I\n</think>It is", "Yes\n[/THINK]Yes!"])
async def test_an_answer_that_begins_like_its_thought_loses_no_letter(text: str) -> None:
    parts, _ = await streamed(text, aloud=False)
    assert "".join(parts).endswith(str(without_thoughts_in(AIMessage(text)).text))


@settings(deadline=None)  # a busy machine may pause at any point
@given(PIECES.map("".join).filter(bool))
async def test_a_stream_ends_in_the_answer(text: str) -> None:
    parts, _ = await streamed(text, aloud=False)
    answer = str(fit_answer(AIMessage(text), ()).text)
    assert "".join(parts).rstrip().endswith(answer.rstrip())
