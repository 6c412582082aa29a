"""A chat's history is fit to send, whatever became of the runs that wrote it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from re2llm.llm.chat.history import with_calls_answered

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
