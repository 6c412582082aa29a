"""`docs/chat.md` is what its command writes now."""

from __future__ import annotations

from pathlib import Path

from re2llm.commands.transcript import hold, rewrite
from re2llm.runtime.services import Services

PAGE = Path(__file__).parents[2] / "docs" / "chat.md"


async def test_the_page_is_the_conversation(services: Services, domain: str) -> None:
    turns = await hold(services, domain)
    called = {name for turn in turns for name, _ in turn.calls}
    assert called == {"find_titles", "recommend", "rate", "feedback"}
    assert len(turns) == 10
    page = PAGE.read_text(encoding="utf-8")
    assert all(turn.said in page and turn.answer.splitlines()[0] in page for turn in turns)
    assert rewrite(page, turns) == page, "run `make docs-chat`"
    assert rewrite(page, turns[:-1]) != page
