"""Node `prepare`: checks the request, resolves its items, retrieves candidates and evidence."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from langgraph.runtime import Runtime
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError, Re2llmError
from ..knowledge.catalogue import fetch_items, mean_embedding, nearest_items
from ..knowledge.domains import Domain, find_domain
from ..knowledge.engine import unreachable
from ..ranking.state import ItemView, RecommendRequest, RecommendState, Update
from ..records import Item
from ..runtime.options import Context, RunOptions, resolve

_MOST_NAMED = 5


async def prepare(state: RecommendState, runtime: Runtime[Context]) -> Update:
    """Check the request and gather what the ranking needs.

    Args:
        state: The request.
        runtime: The run's options.

    Returns:
        Resolved items, evidence and the session embedding; or an `error`.
    """
    try:
        options = await resolve(runtime)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    try:
        request = _read_request(state)
        _check_history(request.history)
        _check_candidates(request.candidates, options.settings.max_candidates)
        asked: RecommendState = {
            **state,
            "history": request.history,
            "candidates": request.candidates,
        }
        async with options.services.engine.connect() as connection:
            name = request.domain or options.domain
            domain = await find_domain(connection, name, among=options.domains)
            gathered = await gather(connection, domain, asked, options)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    except (OSError, SQLAlchemyError) as error:
        return {"error": unreachable(options.services.engine, error).as_dict()}
    return {**gathered, "history": request.history, "shown": request.k}


async def gather(
    connection: AsyncConnection, domain: Domain, state: RecommendState, options: RunOptions
) -> Update:
    """Resolve a request whose form was checked.

    Args:
        connection: An open connection.
        domain: The catalogue.
        state: The request.
        options: The run's options.

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
    candidates = [by_id[key] for key in ids]
    index = await options.services.evidence(connection, domain)
    leave_out = state.get("training_session")
    return {
        "domain": domain.name,
        "domain_id": domain.id,
        "model": options.model,
        "session_embedding": embedding.tolist(),
        "history_items": [_view(items[i]) for i in history[-options.settings.prompt_history :]],
        "candidate_items": [_view(item) for item in candidates],
        "evidence": index.of(history, ids, leave_out=leave_out) if index else [],
        "flags": [],
        "error": None,
    }


def _read_request(state: RecommendState) -> RecommendRequest:
    given = {name: state.get(name) for name in RecommendRequest.model_fields}
    try:
        # LangGraph hands the input on as it came: neither checked nor with its defaults.
        return RecommendRequest.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            ".".join(map(str, first["loc"])), f"{first['msg']}.", "See the input schema."
        ) from error


def _check_history(history: Sequence[str]) -> None:
    if not history:
        raise InputError("history", "It is empty.", "Send at least one item id.")


def _check_candidates(candidates: Sequence[str] | None, most: int) -> None:
    if candidates is None:
        return
    if len(candidates) < 2:  # noqa: PLR2004
        raise InputError(
            "candidates",
            f"There is nothing to rank in a list of {len(candidates)}.",
            "Send at least two, or none to have them retrieved.",
        )
    if len(candidates) > most:
        raise InputError(
            "candidates",
            f"There are {len(candidates):,}, but a request may hold {most:,}.",
            "Send fewer, send none to have them retrieved, or raise RE2LLM_MAX_CANDIDATES.",
        )
    repeated = [item for item, count in Counter(candidates).items() if count > 1]
    if repeated:
        raise InputError("candidates", f"{_named(repeated)} stands there twice.", "Send each once.")


def _require_known(
    field: str, ids: Sequence[str], items: Mapping[str, Item], domain: Domain
) -> None:
    unknown = [item for item in dict.fromkeys(ids) if item not in items]
    if unknown:
        raise InputError(
            field,
            f"Domain {domain.name!r} does not know {_named(unknown)}.",
            "Send ids of loaded items; `re2llm load` loads a catalogue.",
        )


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return ", ".join(repr(item[:40]) for item in ids[:_MOST_NAMED]) + more


def prompt_order(
    candidates: Sequence[str], history: Sequence[str], seed: int, order: int = 0
) -> list[str]:
    """Shuffle by the request's content, so that the caller's order cannot matter.

    Rankers favour some positions, and callers like to put the best candidate first.

    Args:
        candidates: Item ids.
        history: Item ids.
        seed: Of the run.
        order: Another one for the same request.

    Returns:
        The candidates in the order in which the prompt numbers them.
    """
    ordered = sorted(candidates)
    content = json.dumps([[seed, order] if order else seed, list(history), ordered])
    digest = hashlib.sha256(content.encode()).digest()
    random.Random(digest).shuffle(ordered)
    return ordered


def _view(item: Item) -> ItemView:
    return {"id": item.id, "title": item.title, "attributes": dict(item.attributes)}
