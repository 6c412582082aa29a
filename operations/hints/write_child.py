"""Has the reflecting model write a better hint of known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...knowledge.catalogue import fetch_items
from ...knowledge.hint_store.decisions import KeptHint
from ...knowledge.sessions.training_sessions import fetch_session
from ...llm.hints.answers import HINTS, read_hints
from ...llm.hints.improvement_prompt import ShownSession, improvement_messages
from ...llm.hints.reflection_prompt import MOST_WORDINGS
from ...records import Item
from ...runtime.model_call import ask
from ...runtime.options import RunOptions
from ...runtime.reflecting_down import reflecting_down
from ..database import in_domain


async def write_child(
    parents: Sequence[KeptHint], shown: Mapping[int, Sequence[float]], options: RunOptions
) -> list[str]:
    """Have the model write a child in other words each; one empty text if it wrote none.

    Args:
        parents: The hints to make it of.
        shown: The gain of each parent, by session that the model sees.

    Raises:
        ModelDownError: The model gave no answer.
    """
    messages = improvement_messages(
        [parent.hint.text for parent in parents],
        [await _shown(key, gains, options) for key, gains in shown.items()],
    )
    reply = await ask(messages, options, "reflect", answer_format=HINTS)
    if reply.failed:
        raise reflecting_down(reply, options)
    return read_hints(reply.text)[:MOST_WORDINGS] or [""]


async def _shown(key: int, gains: Sequence[float], options: RunOptions) -> ShownSession:
    async with in_domain(options) as (connection, domain):
        session = await fetch_session(connection, domain.id, key)
        wanted = [*session.history, str(session.target)]
        items = await fetch_items(connection, domain, wanted)
    *history, target = [items.get(name) or Item(name, name) for name in wanted]
    return ShownSession(history, target, gains)
