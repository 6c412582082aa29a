"""Writes a conversation into a page: `python -m re2llm.commands.transcript docs/chat.md`.

It is held with the chat assistant on a database of its own, on the sample films and without a key,
so that it is the same wherever it takes place.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from ..data.sample import sample_items, simulate_sessions
from ..interfaces.chat import build_graph
from ..operations.load import load_domain
from ..runtime.options import Context
from ..runtime.services import Services, open_services
from ..runtime.sharing import ServiceSet
from ..settings import OFFLINE_MODEL, Settings

TURNS = (
    "Hi, who are you?",
    "I loved Blade Runer and alein, but Titanic left me cold. What should I watch?",
    "I also liked Lord of the Rings.",
    "The one from 2002.",
    "None of these.",
    "Anything else?",
    "What's the weather like in Paris tomorrow?",
    "How would I like Heat?",
    "I really enjoyed Spirited Awya and Paddington, too.",
    "I'll watch the second one.",
)
_VIEWERS, _SEED = 60, 1
_WIDTH, _LINES = 76, 3
_BLOCK = re.compile(r"(?s)(<!-- conversation -->\n).*?(<!-- /conversation -->)")


@dataclass(frozen=True, slots=True)
class Turn:
    """What the person said, and what came of it.

    Attributes:
        said: By the person.
        calls: Tools with their arguments, in order.
        answer: By the assistant.
    """

    said: str
    calls: Sequence[tuple[str, dict[str, Any]]]
    answer: str


async def hold(services: Services, domain: str) -> list[Turn]:
    """Load the sample films and hold the conversation on one thread.

    Args:
        services: Database and models.
        domain: The films' name, which nothing else may use.
    """
    sessions = simulate_sessions(_VIEWERS, seed=_SEED)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    # LangChain leaves type arguments of its own open.
    graph: Any = build_graph().copy({"checkpointer": InMemorySaver()})
    context = Context(
        services=ServiceSet.of(services), domain=domain, model=OFFLINE_MODEL, policy="none"
    )
    thread = {"configurable": {"thread_id": "1"}}
    turns: list[Turn] = []
    heard = 0
    for said in TURNS:
        state = await graph.ainvoke({"messages": [("user", said)]}, thread, context=context)
        messages: list[BaseMessage] = state["messages"][heard:]
        heard += len(messages)
        calls = [
            (call["name"], call["args"])
            for message in messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]
        turns.append(Turn(said, calls, messages[-1].text))
    return turns


def rewrite(text: str, turns: Sequence[Turn]) -> str:
    """Return a Markdown text with the conversation between its two markers.

    Args:
        text: Holds `<!-- conversation -->` and, later, `<!-- /conversation -->`.
        turns: From `hold`.
    """
    written = "\n".join(_turn(number, turn) for number, turn in enumerate(turns, start=1))
    return _BLOCK.sub(lambda found: f"{found[1]}\n{written}\n{found[2]}", text)


def _turn(number: int, turn: Turn) -> str:
    parts = [f"### {number}. {turn.said}\n"]
    if turn.calls:
        called = "\n".join(_call(name, arguments) for name, arguments in turn.calls)
        parts.append(f"```text\n{called}\n```\n")
    return "\n".join([*parts, _paragraphs(turn.answer) + "\n"])


def _call(name: str, arguments: dict[str, Any]) -> str:
    # Numbers of recommendations are drawn by chance.
    shown = {key: "…" if key == "recommendation_id" else value for key, value in arguments.items()}
    return textwrap.fill(
        f"{name} {json.dumps(shown, ensure_ascii=False)}",
        _WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
        max_lines=_LINES,
        placeholder=" …",
    )


def _paragraphs(answer: str) -> str:
    """Set lists apart, as Markdown wants them."""
    lines = answer.splitlines()
    spaced: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if before and before[0].isdigit() != line[0].isdigit():
            spaced.append("")
        spaced.append(line)
    return "\n".join(f"> {line}".rstrip() for line in spaced)


async def _hold_anew() -> list[Turn]:
    with tempfile.TemporaryDirectory(prefix="re2llm-chat-") as folder:
        settings = Settings(home=Path(folder), database_url=None, model=OFFLINE_MODEL)
        services = await open_services(settings)
        try:
            return await hold(services, "films")
        finally:
            await services.close()


if __name__ == "__main__":
    held = asyncio.run(_hold_anew())
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewrite(path.read_text(encoding="utf-8"), held), encoding="utf-8")
