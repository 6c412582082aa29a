"""Tool calls that a server left in the text are read, in any family's dialect, and never shown."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from re2llm.llm.chat.calls import fit_answer
from re2llm.llm.chat.text_calls import split_calls, tool_named
from re2llm.llm.client.answer_stream import AnswerOnlyModel, ChatTraits, StreamedAnswer

TOOLS = frozenset({"find_titles", "recommend", "feedback", "rate"})
BAR, LOW = "\uff5c", "\u2581"
GIVEN = '{"titles": ["Heat"]}'
JSON = f'{{"name": "find_titles", "arguments": {GIVEN}}}'
LLAMA = f'{{"name": "find_titles", "parameters": {GIVEN}}}'
DEEPSEEK = f"<{BAR}tool{LOW}calls{LOW}begin{BAR}><{BAR}tool{LOW}call{LOW}begin{BAR}>"
DIALECTS = [
    f"<tool_call>{JSON}</tool_call>",
    f"<tool_call>\n{JSON}\n</tool_call>\n",
    f"<tool_call>{JSON}",
    f"<tool_call>{JSON}</tool_call><|im_end|>",
    f"<tool_call>{JSON.replace(chr(34), chr(39))}</tool_call>",
    f'<tool_call>{{"type": "function", "function": {JSON}}}</tool_call>',
    f'<tool_call>{{"find_titles": {GIVEN}}}</tool_call>',
    '<tool_call>{"name": "find_titles", "arguments": "{\\"titles\\": [\\"Heat\\"]}"}</tool_call>',
    f"<tool_call>{JSON.replace('find', 'functions.find')}</tool_call>",
    f"<tool_call>{JSON}</tool_call> Then I recommend.",
    f"[TOOL_CALLS][{JSON}]",
    f"[TOOL_CALLS] [{JSON}]</s>",
    f"[TOOL_CALLS]find_titles{GIVEN}",
    f"[TOOL_CALLS]find_titles[CALL_ID]a1[ARGS]{GIVEN}",
    f"<function=find_titles>{GIVEN}</function>",
    f"<functioncall> {JSON}",
    f"<tool>{JSON}</tool>",
    f"<tools>\n[{JSON}]\n</tools>",
    f"<action>\n```json\n{JSON}\n```\n</action>",
    f"<function>find_titles\n{GIVEN}</function>",
    f"<tool>\n<name>find_titles</name>\n<arguments>{GIVEN}</arguments>\n</tool>",
    "<tool>find_titles(titles=['Heat'])</tool>",
    f"<tool_request>{JSON}</tool_request>",
    f"&lt;tool&gt;{JSON}&lt;/tool&gt;",
    f'<function name="find_titles">{GIVEN}</function>',
    f"<tool_use>{JSON}</tool_use>",
    f"<|python_tag|>{LLAMA}<|eom_id|>",
    LLAMA,
    f"[{JSON}]",
    f"```json\n{JSON}\n```",
    f'{{"tool_calls": [{JSON}]}}',
    '[find_titles(titles=["Heat"])]',
    "find_titles(titles=['Heat'])",
    '<|python_tag|>find_titles(titles=["Heat"])',
    '```tool_code\nfind_titles(titles=["Heat"])\n```',
    '```tool_code\nprint(default_api.find_titles(titles=["Heat"]))\n```',
    '<|tool_call_start|>[find_titles(titles=["Heat"])]<|tool_call_end|>',
    "<start_function_call>call:find_titles{titles:[<escape>Heat<escape>]}<end_function_call>",
    '<|tool_call>call:find_titles{titles:[<|"|>Heat<|"|>]}<tool_call|>',
    (
        "<tool_call>\n<function=find_titles>\n<parameter=titles>\n"
        '["Heat"]\n</parameter>\n</function>\n</tool_call>'
    ),
    (
        "<tool_call>find_titles\n<arg_key>titles</arg_key>\n"
        '<arg_value>["Heat"]</arg_value>\n</tool_call>'
    ),
    (
        '<minimax:tool_call>\n<invoke name="find_titles">\n<parameter name="titles">["Heat"]'
        "</parameter>\n</invoke>\n</minimax:tool_call>"
    ),
    (
        f'<{BAR}DSML{BAR}function_calls>\n<{BAR}DSML{BAR}invoke name="find_titles">\n'
        f'<{BAR}DSML{BAR}parameter name="titles" string="false">["Heat"]'
        f"</{BAR}DSML{BAR}parameter>\n"
        f"</{BAR}DSML{BAR}invoke>\n</{BAR}DSML{BAR}function_calls>"
    ),
    (
        f"{DEEPSEEK}function<{BAR}tool{LOW}sep{BAR}>find_titles\n```json\n{GIVEN}\n```"
        f"<{BAR}tool{LOW}call{LOW}end{BAR}>"
    ),
    f"functionfind_titles\n```json\n{GIVEN}\n```",
    (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.find_titles:0"
        f"<|tool_call_argument_begin|>{GIVEN}<|tool_call_end|>"
    ),
    f"functions.find_titles:0{GIVEN}",
    f"find_titles: {GIVEN}",
    f"find_titles\n```json\n{GIVEN}\n```",
    'find_titles\n<arg_key>titles</arg_key>\n<arg_value>["Heat"]</arg_value>',
    f'<|START_ACTION|>[{{"tool_name": "find_titles", "parameters": {GIVEN}}}]<|END_ACTION|>',
    f"\u273fFUNCTION\u273f: find_titles\n\u273fARGS\u273f: {GIVEN}",
    (
        "<|channel|>analysis<|message|>draft<|end|><|start|>assistant<|channel|>commentary "
        f"to=functions.find_titles <|constrain|>json<|message|>{GIVEN}<|call|>"
    ),
    f"analysisThe draft.assistantcommentary to=functions.find_titles json{GIVEN}",
    f"<think>draft</think>\n<tool_call>{JSON}</tool_call>",
]
WORDS = [
    "How about Heat? I recommend it.",
    "[REC] is great. I recommend {it}",
    "I would rate it [4]",
    "The <tool_call> tag",
    '{"title": "Heat"}',
    '{"name": "Heat", "parameters": {"year": 1995}}',
    "```\nHeat\n```",
    "recommend: Heat",
    "1. Heat [6]",
    '`Heat` (1995): I would rate it 5/5.\n\n```json\n{"rating": 5}\n```',
    '[Heat](http://x) is what I recommend. Its data: {"title": "Heat"}',
    '{"title": "Heat"} is what I recommend: {"year": 1995}',
    '[1] Heat\n[2] Ronin\nThese I rate {"high": 5}',
    'I recommend\n{"title": "Heat"}',
    'recommend it, they said: {"title": "Heat"}',
    "`rate` takes rate(rating=5), say",
    "rate(rating=5) would be my verdict.",
    '`{"name": "rate", "arguments": {"rating": 5}}` is how one calls it.',
    "Here by genre:\n\n<Action>\nHeat\nRonin\n</Action>\n\n<Drama>\nCasino\n</Drama>",
    "<Action Jackson> \uc744 \ucd94\ucc9c\ud569\ub2c8\ub2e4. I recommend it.",
    '<Action>\nHeat {"year": 1995}\n</Action>\nI recommend these.',
    '<action>rate</action> them: {"year": 1995}',
    "<tool_response>\nHow about Heat?\n</tool_response>",
    "Try:\n<functional>\nmap\n</functional>",
    "<Tool> Time, <Toolbox Murders>\n<Functional Family>, <Functions of Love>",
    "<tools>\nHeat\n</tools>",
    "<Tool & Die>\n<Function Room>",
    "<invoke the gods> is a film\n<Invoke (2011)>",
    "Films:\n<Tool Use (1999)>\n<Action Code>\n<Tool Calls Me>",
    "[Tool_box] and [FUNCTION]",
    "```tools\nHeat\n```\nRead on.",
    "```function_name```",
    "Crossed out: <s>Heat</s>. My picks: Ronin, Casino.",
    "<s>Heat</s> and <s>Ronin</s>",
    "Old: <S>Heat</S>",
    "</s> ends a turn.",
]


class InPieces(GenericFakeChatModel):
    """Says a text in pieces of a size."""

    size: int

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        text = str(self._generate(*args, **kwargs).generations[0].message.text)
        for at in range(0, len(text), self.size):
            yield ChatGenerationChunk(message=AIMessageChunk(text[at : at + self.size]))


async def streamed(text: str, size: int = 0) -> tuple[str, AIMessage, list[str], ChatTraits]:
    """Hear a text word by word, or in pieces of a size."""
    traits = ChatTraits(emits_reasoning=False)
    record = StreamedAnswer(traits)
    said = iter([AIMessage(text)])
    inner = InPieces(messages=said, size=size) if size else GenericFakeChatModel(messages=said)
    model = AnswerOnlyModel(inner=inner, streamed=record, tools=TOOLS, cache=False)
    parts = [part async for part in model.astream([HumanMessage("Hi")])]
    assert record.answer is not None
    names = [str(call["name"]) for part in parts for call in part.tool_call_chunks]
    return "".join(str(part.text) for part in parts), record.answer, names, traits


@pytest.mark.parametrize("text", DIALECTS)
async def test_a_call_in_the_text_is_made_and_not_heard(text: str) -> None:
    heard, answer, names, _ = await streamed(text)
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("find_titles", {"titles": ["Heat"]})
    assert call["id"]
    assert (heard.strip(), answer.text, names) == ("", "", ["find_titles"])


@pytest.mark.parametrize("text", [t for t in DIALECTS[:-3] if t[0] != "f"])  # a mere name
async def test_words_before_a_call_are_heard(text: str) -> None:
    heard, answer, *_ = await streamed(f"Let me look.\n\n{text}")
    assert heard.strip() == answer.text == "Let me look."
    assert [call["name"] for call in answer.tool_calls] == ["find_titles"]


@pytest.mark.parametrize("text", WORDS)
async def test_words_are_no_calls(text: str) -> None:
    heard, answer, *_ = await streamed(text)
    assert (heard, answer.text, answer.tool_calls) == (text, text, [])


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "before", ["\n\n", "\n  ", "\n\t", "\n \t  ", "\n" + " " * 9, "\n\n   \n  "]
)
@pytest.mark.parametrize(
    "call",
    [JSON, f"[{JSON}]", '[find_titles(titles=["Heat"])]', f"`<tool_call>{JSON}</tool_call>`"],
)
async def test_an_indented_call_is_never_heard(call: str, before: str, size: int) -> None:
    heard, answer, names, _ = await streamed(f"Let me look.{before}{call}", size)
    assert heard == answer.text == "Let me look."
    assert names == ["find_titles"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_words_are_heard_as_they_are_in_any_pieces(size: int) -> None:
    for text in (*WORDS, "Let me look. `Heat`", "A\n  [REC]\n\t{it}\n   ", "Two:\n    1. Heat\n "):
        heard, answer, *_ = await streamed(text, size)
        assert heard == answer.text == text
    for before in (" ", " `", "`"):
        heard, answer, *_ = await streamed(f"Let me look.{before}<tool_call>{JSON}", size)
        assert heard.rstrip(" ") == answer.text == "Let me look."


def test_several_calls_are_read() -> None:
    other = '{"name": "recommend", "arguments": {"history": ["Heat"]}}'
    for text in (
        f"<tool_call>{JSON}</tool_call>\n<tool_call>{other}</tool_call>",
        f"[TOOL_CALLS][{JSON}, {other}]",
        f"<function=find_titles>{GIVEN}</function><function=recommend>{{'history': []}}</function>",
        (
            "<invoke name='find_titles'><parameter name='titles'>[]</parameter></invoke>"
            "<invoke name='recommend'><parameter name='history'>[]</parameter></invoke>"
        ),
    ):
        said, calls = split_calls(text, TOOLS)
        assert (said, [name for name, _ in calls]) == ("", ["find_titles", "recommend"])
    ids = [
        c["id"] for c in fit_answer(AIMessage(f"[TOOL_CALLS][{JSON}, {other}]"), TOOLS).tool_calls
    ]
    assert len({*ids}) == 2


@pytest.mark.parametrize(
    "text",
    [
        *("<tool_call>{broken", "<tool_call></tool_call>", "[TOOL_CALLS] [", "<|tool_call|>x"),
        *("<function=search>{broken", "<|python_tag|>print(", "<minimax:tool_call>\n<invoke"),
        *(f"{DEEPSEEK}x", "<|START_ACTION|>[{", "<start_function_call>call:", "```tool_code\nx"),
    ],
)
def test_a_call_that_cannot_be_read_is_not_said(text: str) -> None:
    assert split_calls(text, TOOLS) == ("", [])
    assert split_calls(f"Well.\n{text}", TOOLS) == ("Well.", [])


def test_a_call_of_an_unknown_tool_is_made_so_that_the_model_is_told() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"q": 1}}</tool_call>'
    assert split_calls(text, TOOLS) == ("", [("search", {"q": 1})])


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        *((name, "find_titles") for name in ("find_titles", "functions.find_titles", "findTitles")),
        *((name, "find_titles") for name in ("default_api.find_titles", "functions.find_titles:0")),
        *((name, "find_titles") for name in ("find_titles<|channel|>commentary", "find-titles")),
        *((name, "rate") for name in ("mcp__films__rate", "films/rate", " rate ")),
        *((name, name) for name in ("moderate", "search", "")),
    ],
)
def test_a_name_stands_for_a_tool(name: str, tool: str) -> None:
    assert tool_named(name, TOOLS) == tool


@pytest.mark.parametrize("ids", [[None], [""], ["a", "a"], [None, None], [0, 7]])
def test_every_call_has_an_id_of_its_own(ids: list[Any]) -> None:
    calls = [{"name": "rate", "args": {}, "id": None, "type": "tool_call"} for _ in ids]
    message = AIMessage("", tool_calls=calls)
    for call, id_ in zip(message.tool_calls, ids, strict=True):
        call["id"] = id_
    made = [call["id"] for call in fit_answer(message, TOOLS).tool_calls]
    assert all(isinstance(one, str) and one for one in made)
    assert len({*made}) == len(ids)


ENDS = ["<|im_end|>", "<|eot_id|>", "</s>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "[/INST]"]
ENDS += [f"<{BAR}end{LOW}of{LOW}sentence{BAR}>", "<|END_OF_TURN_TOKEN|>", "<|return|>", "<eos>"]


@pytest.mark.parametrize(
    "end", [*ENDS, "<|im_end|>\n<|im_start|>user\nAnd?", "<|eot_id|>\n</s> ", "</s>\n</s>"]
)
async def test_what_ends_a_turn_is_not_heard(end: str) -> None:
    heard, answer, _, traits = await streamed(f"How about Heat?{end}")
    assert heard == answer.text == "How about Heat?"
    assert traits.emits_reasoning is False


@pytest.mark.parametrize("begin", ["<|im_start|>assistant\n", "<s> ", "<|assistant|>", "<bos>"])
async def test_what_begins_a_turn_is_not_heard(begin: str) -> None:
    heard, answer, *_ = await streamed(f"{begin}How about <|begin_of_box|>Heat<|end_of_box|>?")
    assert heard == answer.text == "How about Heat?"


PIECES = ["<tool_call>", "</tool_call>", JSON, GIVEN, "find_titles", "[", "{", '"', "<parameter=a>"]


@given(st.lists(st.sampled_from([*PIECES, "[TOOL_CALLS]", "(", "a", "\n", "<invoke ", "```"])))
def test_any_text_is_read(pieces: list[str]) -> None:
    said, calls = split_calls("".join(pieces), TOOLS)
    assert said in "".join(pieces)
    assert all(isinstance(arguments, dict) for _, arguments in calls)


@pytest.mark.parametrize(
    "piece",
    [*PIECES, "<", "[TOOL_CALLS]", "(", "<|", "</s>", "<tool>", "rate(", "rate {", "<|im_end|>"],
)
@pytest.mark.timeout(20)  # quadratic time would take far longer
def test_it_takes_linear_time(piece: str) -> None:
    fit_answer(AIMessage(piece * (200_000 // len(piece))), TOOLS)
