"""The stand-in for a chat model answers whatever history it is given."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from re2llm.llm.offline import OfflineAssistant

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "items",
                    "titles",
                    "id",
                    "title",
                    "typed",
                    "status",
                    "because",
                    "picked",
                    "history",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
SAID = (
    st.text(max_size=40)
    | st.text(alphabet=' "“”„«»,;\n-•1234.#A', max_size=40)
    | st.sampled_from(["1", "#2", "none", '"Alien"', "A, B", "٣", "²", '"' * 500, "," * 500])
)
BLOCKS: Any = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": SAID})
    | st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.just({"url": "x"})})
    | SAID,
    max_size=3,
)
LISTED = st.just(
    json.dumps({"recommendation_id": "r", "items": [{"id": "a", "title": "A", "because": []}]})
)
NAMES = st.sampled_from(["recommend", "feedback", "find_titles", "rate", None])
MESSAGES: Any = st.lists(
    st.builds(HumanMessage, SAID | BLOCKS)
    | st.builds(AIMessage, SAID | BLOCKS)
    | st.builds(SystemMessage, SAID)
    | st.builds(
        ToolMessage,
        LISTED | JSON.map(json.dumps) | SAID | BLOCKS,
        tool_call_id=st.just("1"),
        name=NAMES,
        status=st.sampled_from(["success", "error"]),
    ),
    max_size=6,
)
TOOLS = {"recommend", "feedback", "find_titles"}


@given(MESSAGES)
def test_any_history_is_answered(messages: list[BaseMessage]) -> None:
    answer = OfflineAssistant(note="Note.").invoke(messages or [HumanMessage("")])
    assert bool(answer.text.strip()) != bool(answer.tool_calls)
    assert {call["name"] for call in answer.tool_calls} <= TOOLS
    if not answer.tool_calls:
        assert answer.text.startswith("Note.")


@given(MESSAGES)
def test_it_streams_what_it_answers(messages: list[BaseMessage]) -> None:
    model = OfflineAssistant()
    messages = messages or [HumanMessage("")]
    first, *rest = [part for part in model.stream(messages) if isinstance(part, AIMessageChunk)]
    streamed, whole = first + rest, model.invoke(messages)
    assert streamed.text == whole.text
    assert [c["args"] for c in streamed.tool_calls] == [c["args"] for c in whole.tool_calls]


def test_no_message_at_all() -> None:
    assert OfflineAssistant()._reply([]).text
