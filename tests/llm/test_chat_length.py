"""What is left of a chat that is too long: whole turns, the rules, and a word about the rest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from re2llm.llm.chat.history import with_calls_answered
from re2llm.llm.chat.length import chat_length, shortened_chat

RULES = SystemMessage("You help a person.")


def turn(number: int, length: int = 100) -> list[BaseMessage]:
    call: Any = {"name": "recommend", "args": {"history": ["x" * length]}, "id": str(number)}
    return [
        HumanMessage(f"{number}. " + "x" * length),
        AIMessage("", tool_calls=[call]),
        ToolMessage("x" * length, tool_call_id=str(number)),
        AIMessage("y" * length),
    ]


def chat(*turns: list[BaseMessage]) -> list[BaseMessage]:
    return [RULES, *(message for one in turns for message in one), HumanMessage("And now?")]


def test_the_newest_turns_stay_whole_and_the_prompt_says_so() -> None:
    messages = chat(*(turn(n) for n in range(20)))
    shorter = shortened_chat(messages, chat_length(messages))
    assert shorter is not None
    assert shorter[1:] == messages[-len(shorter) + 1 :]
    assert shorter[1].text.startswith("16. ")
    assert shorter[0].text.startswith(RULES.text)
    assert "left out" in shorter[0].text
    assert "left out" not in RULES.text


def test_fields_that_are_not_sent_do_not_count() -> None:
    messages = chat(*(turn(n) for n in range(20)))
    thoughtful = [
        one.model_copy(update={"additional_kwargs": {"reasoning_content": "x" * 1_000}})
        if isinstance(one, AIMessage)
        else one
        for one in messages
    ]
    left_out = {"reasoning_content"}
    assert chat_length(thoughtful, left_out) == chat_length(messages)
    assert chat_length(thoughtful) > 2 * chat_length(messages)
    shorter = shortened_chat(thoughtful, 9_000, left_out) or []
    plain = shortened_chat(messages, 9_000) or []
    assert len(shorter) == len(plain) > 5
    assert shorter[1:] == thoughtful[-len(shorter) + 1 :]


def test_a_limit_that_is_known_counts_for_a_longer_chat() -> None:
    messages = chat(*(turn(n) for n in range(20)))
    shorter = shortened_chat(messages, 2_000)
    assert shorter is not None
    assert [message.text[:3] for message in shorter if message.type == "human"] == ["19.", "And"]


def test_calls_in_the_last_turn_are_kept_with_their_answers() -> None:
    messages = [RULES, *turn(1), *turn(2, 5_000)]
    assert shortened_chat(messages, 100) is not None
    assert (shortened_chat(messages, 100) or [])[1:] == messages[5:]


@pytest.mark.parametrize(
    "messages",
    [[RULES, HumanMessage("x" * 9_000)], [RULES, *turn(1)], [RULES], [], [AIMessage("Hello!")]],
)
def test_one_turn_cannot_be_shortened(messages: list[BaseMessage]) -> None:
    assert shortened_chat(messages, 100) is None


def test_rules_that_are_missing_or_come_in_blocks_get_the_note_too() -> None:
    blocks = SystemMessage([{"type": "text", "text": "Rules."}])
    for rules in ([], [blocks], [RULES, blocks]):
        shorter = shortened_chat([*rules, *turn(1), *turn(2)], 1_000)
        assert shorter is not None
        assert "left out" in shorter[0].text
        assert [message.type for message in shorter].count("system") == max(1, len(rules))


@pytest.mark.long
@given(
    st.lists(
        st.builds(turn, st.integers(0, 9), st.integers(0, 300))
        | st.builds(lambda: [HumanMessage("Hi")])
        | st.builds(lambda: [AIMessage("Hello")])
        | st.builds(lambda: [SystemMessage("Be brief.")]),
        max_size=12,
    ),
    st.integers(0, 5_000),
)
def test_any_chat_stays_fit_to_send(turns: list[list[BaseMessage]], too_long: int) -> None:
    messages = chat(*turns)
    before = [message.model_copy(deep=True) for message in messages]
    shorter = shortened_chat(messages, too_long)
    assert messages == before
    if shorter is None:
        return
    assert len(shorter) < len(messages)
    assert shorter[-1] == messages[-1]
    assert with_calls_answered(shorter) == shorter
    spoken = [message for message in shorter if message.type != "system"]
    assert spoken[0].type == "human"
    said = [message.text for message in messages if message.type == "system"]
    assert [message.text for message in shorter if message.type == "system"][1:] == said[1:]
