"""Gathers what a ranking needs: the items, the candidates, and the evidence beside them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.catalogue import fetch_items, mean_embedding, nearest_items
from ..knowledge.domains import Domain
from ..records import Item
from ..runtime.domain_cache import evidence_of
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .request import quoted
from .state import ItemView, RecommendState


async def gather(
    connection: AsyncConnection, domain: Domain, state: RecommendState, options: RunOptions
) -> Update:
    """Resolve a request whose form was checked.

    Returns:
        Items of history and candidates, evidence, and the session embedding, shape `[384]`.

    Raises:
        InputError: It names items that the catalogue does not know.
    """
    history = state["history"]
    listed = state.get("candidates")
    target = state.get("target")
    wanted = [*history, *(listed or []), *([] if target is None else [target])]
    items = await fetch_items(connection, domain, wanted)
    _require_known("history", history, items, domain)
    if target is not None:
        _require_known("target", [target], items, domain)
    embedding = await mean_embedding(connection, domain, history)
    if listed is None:
        count = options.settings.candidates
        candidates = await nearest_items(
            connection, domain, embedding, count=count, exclude=history
        )
        if target is not None and target not in {item.id for item in candidates}:
            candidates = [*candidates[:-1], items[target]]
    else:
        _require_known("candidates", listed, items, domain)
        candidates = [items[item] for item in listed]
    if len(candidates) < 2:  # noqa: PLR2004
        raise InputError(
            "history", "It leaves fewer than two items to recommend.", "Send a shorter one."
        )
    by_id = {item.id: item for item in candidates}
    ids = prompt_order(list(by_id), history, options.seed, options.order)
    index = await evidence_of(options.services, connection, domain)
    leave_out = state.get("training_session")
    return {
        "domain": domain.name,
        "domain_id": domain.id,
        "model": options.model,
        "session_embedding": embedding.tolist(),
        "history_items": [_view(items[i]) for i in history[-options.settings.prompt_history :]],
        "candidate_items": [_view(by_id[key]) for key in ids],
        "evidence": index.of(history, ids, leave_out=leave_out) if index else [],
        "flags": [],
    }


def prompt_order(
    candidates: Sequence[str], history: Sequence[str], seed: int, order: int = 0
) -> list[str]:
    """Shuffle by the request's content, so that the caller's order cannot matter.

    Rankers favour some positions, and callers like to put the best candidate first.

    Returns:
        The candidates in the order in which the prompt numbers them.
    """
    ordered = sorted(candidates)
    content = json.dumps([[seed, order] if order else seed, list(history), ordered])
    digest = hashlib.sha256(content.encode()).digest()
    random.Random(digest).shuffle(ordered)
    return ordered


def _require_known(
    field: str, ids: Sequence[str], items: Mapping[str, Item], domain: Domain
) -> None:
    unknown = [item for item in dict.fromkeys(ids) if item not in items]
    if unknown:
        raise InputError(
            field,
            f"Domain {domain.name!r} has no item {quoted(unknown)}.",
            "Send ids of loaded items; `re2llm load` loads a catalogue.",
        )


def _view(item: Item) -> ItemView:
    return {"id": item.id, "title": item.title, "attributes": dict(item.attributes)}
