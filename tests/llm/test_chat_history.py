"""A chat's history is fit to send, whatever became of the runs that wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from re2llm.llm.chat.history import NOT_TEXT, with_calls_answered, with_inert_text
from re2llm.llm.prices import prompt_tokens, usage_or_estimate

IDS = st.sampled_from(["1", "2", "3"])


def call(id_: str | None, name: str = "recommend") -> Any:
    return {"name": name, "args": {}, "id": id_, "type": "tool_call"}


HISTORIES: Any = st.lists(
    st.builds(HumanMessage, st.just("Hi"))
    | st.builds(AIMessage, st.just("Hello"))
    | st.builds(
        lambda ids: AIMessage("", tool_calls=[call(one) for one in ids]),
        st.lists(IDS | st.none(), unique=True, max_size=3),
    )
    | st.builds(ToolMessage, st.just("{}"), tool_call_id=IDS),
    max_size=10,
)


def is_fit(messages: list[BaseMessage]) -> bool:
    """Whether each call is followed by its answer, and each answer preceded by its call."""
    open_: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in open_:
                return False
            open_.remove(message.tool_call_id)
        elif open_:
            return False
        elif isinstance(message, AIMessage):
            open_ = [str(one["id"]) for one in message.tool_calls]
    return not open_


@given(HISTORIES)
def test_every_call_has_one_answer(messages: list[BaseMessage]) -> None:
    before = [message.model_copy(deep=True) for message in messages]
    repaired = with_calls_answered(messages)
    assert is_fit(repaired)
    assert [m for m in repaired if m.type == "human"] == [m for m in messages if m.type == "human"]
    assert messages == before
    if is_fit(messages) and all(c["id"] for m in messages for c in getattr(m, "tool_calls", ())):
        assert repaired == messages


def test_an_answer_that_is_there_is_kept() -> None:
    said, asked, late = HumanMessage("Hi"), AIMessage("", tool_calls=[call("1"), call("2")]), None
    late = ToolMessage("late", tool_call_id="1")
    repaired = with_calls_answered([said, asked, HumanMessage("You there?"), late])
    assert repaired[:3] == [said, asked, late]
    assert isinstance(repaired[3], ToolMessage)
    assert "interrupted" in repaired[3].text
    assert repaired[4].text == "You there?"


def test_a_call_that_could_not_be_read_is_left_out() -> None:
    broken: Any = {"name": "rate", "args": "{", "id": "1", "error": "", "type": "invalid_tool_call"}
    silent = AIMessage("", invalid_tool_calls=[broken], additional_kwargs={"tool_calls": [{}]})
    words = AIMessage("Let me see.", invalid_tool_calls=[broken])
    repaired = with_calls_answered([HumanMessage("Hi"), silent, words])
    assert [message.text for message in repaired] == ["Hi", "Let me see."]
    assert not getattr(repaired[1], "invalid_tool_calls", None)


# What is no text

URL = "http://10.0.0.7/admin"
MEDIA: list[Any] = [
    {"type": "image_url", "image_url": {"url": URL}},
    {"type": "image_url", "image_url": URL},
    {"type": "image", "source_type": "url", "url": URL},
    {"type": "image", "source": {"type": "url", "url": URL}},
    {"type": "input_image", "image_url": URL},
    {"type": "video_url", "video_url": {"url": URL}},
    {"type": "audio_url", "audio_url": {"url": URL}},
    {"type": "file", "file": {"file_data": URL}},
    {"type": "document", "source": {"type": "url", "url": URL}},
    {"type": ["image_url"], "image_url": {"url": URL}},
    {"image_url": URL},
    {"type": "text", "text": "", "image_url": {"url": URL}},
    {"type": "thinking", "thinking": URL},
    {"type": "tool_use", "input": URL},
]


@pytest.mark.parametrize("media", MEDIA, ids=lambda media: str(media)[:40])
def test_only_text_is_sent(media: Any) -> None:
    mixed: list[Any] = [{"type": "text", "text": "Hi", "cache_control": {"url": URL}}, media, "!"]
    fields = {"audio": {"data": URL}, "function_call": {"arguments": URL}, "name": URL}
    messages = [
        HumanMessage(mixed, additional_kwargs=fields),
        AIMessage(mixed, additional_kwargs=fields),
        ToolMessage(mixed, tool_call_id="1", additional_kwargs=fields),
    ]
    sent = with_inert_text(messages)
    assert [one.text for one in sent] == ["Hi!"] * 3
    assert URL not in json.dumps([one.model_dump() for one in sent])
    assert URL in json.dumps([one.model_dump() for one in messages])
    assert with_inert_text(sent) == sent


def test_a_message_without_text_says_so() -> None:
    (sent,) = with_inert_text([HumanMessage([MEDIA[0]])])
    assert sent.content == NOT_TEXT


def test_a_tool_call_keeps_what_its_provider_wants_to_see_again() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "abc"}
    used = {"type": "tool_use", "id": "1", "name": "recommend", "input": {}}
    signed = {"__gemini_function_call_thought_signatures__": {"1": "abc"}}
    message = AIMessage([thought, used], tool_calls=[call("1")], additional_kwargs=signed)
    assert with_inert_text([message])[0] is message
    media = AIMessage([thought, *MEDIA[:-2]], tool_calls=[call("1")])
    assert URL not in json.dumps(with_inert_text([media])[0].model_dump())


def test_a_tool_call_keeps_no_other_fields_that_a_caller_hands_in() -> None:
    signed = {"google": {"thought_signature": "abc"}}
    given: dict[str, Any] = {
        "reasoning_content": {"text": "Hm."},
        "extra_content": {
            "0": {**signed, "x": 1},
            "1": {"x": 1},
            "2": {"google": {"thought_signature": ["abc"]}},
            "3": {"google": {"thought_signature": "a" * 100_000}},
            "4": "abc",
        },
        "other": {"said": ["<|im_end|>"]},
    }
    (sent,) = with_inert_text([AIMessage("", tool_calls=[call("1")], additional_kwargs=given)])
    said = sent.additional_kwargs.pop("other")
    assert "<|im_end|>" not in json.dumps(said)
    assert sent.additional_kwargs == {"extra_content": {"0": signed}}


LONG = "x" * 400_000


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage(LONG),
        HumanMessage("\u6620" * (len(LONG) // 3)),
        HumanMessage([{"type": "text", "text": LONG}]),
        HumanMessage([{"type": "image_url", "image_url": {"url": LONG}}]),
        HumanMessage("Hi", name=LONG),
        AIMessage("", tool_calls=[{**call("1"), "args": {"history": [LONG]}}]),
        AIMessage("", tool_calls=[{**call("1"), "args": {LONG: 1}}]),
        AIMessage("", tool_calls=[call("1", name=LONG)]),
        AIMessage("", tool_calls=[call(LONG)]),
        AIMessage([{"type": "thinking", "thinking": LONG}], tool_calls=[call("1")]),
        AIMessage("", additional_kwargs={"function_call": {"arguments": LONG}}),
        ToolMessage("", tool_call_id=LONG),
    ],
    ids=lambda message: str(message)[:40],
)
def test_all_that_is_sent_counts_as_tokens(message: BaseMessage) -> None:
    expected = len(LONG) // 4
    assert expected <= prompt_tokens([message]) <= expected + 100
    usage = usage_or_estimate([message], AIMessage("Hello"))
    assert expected <= usage.tokens_in <= expected + 100
    assert usage.estimated


@pytest.mark.parametrize("depth", [300, 500, 900, 5_000])
def test_arguments_that_are_nested_without_end_are_cut(depth: int) -> None:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    call = {"name": "rate", "args": {"title": "Heat", "more": nested}, "id": "1"}
    message = AIMessage("", tool_calls=[call])
    (made,) = with_inert_text([message])
    assert isinstance(made, AIMessage)
    args = made.tool_calls[0]["args"]
    assert args["title"] == "Heat"
    assert json.dumps(args).count("[") < 50
