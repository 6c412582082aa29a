"""Gathers what a ranking needs: the items, the candidates, and the evidence about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..knowledge.domains import Domain
from ..records import Flag, Item
from ..runtime.domain_cache import evidence_of, items_of, withdrawn_of
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .first_stage import first_stage_scores, first_stage_task
from .item_views import view_of
from .listing import best, listing
from .request import quoted
from .retrieval import retrieved
from .shown_evidence import shown_evidence
from .state import RecommendState


async def gather(domain: Domain, state: RecommendState, options: RunOptions) -> Update:
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
    items, vectors = await items_of(options.services, domain, wanted)
    _require_known("history", history, items, domain)
    if target is not None:
        _require_known("target", [target], items, domain)
    embedding = session_embedding(history, vectors)
    index = await evidence_of(options.services, domain)
    if listed is None:
        ids = await retrieved(
            *(options.services, domain, history, embedding),
            options.settings.candidates,
            warm=bool(index),
        )
        if target is not None and target not in ids:
            ids.append(target)
        items, vectors = await items_of(options.services, domain, [*ids, *history])
    else:
        _require_known("candidates", listed, items, domain)
        ids = list(dict.fromkeys(listed))
    if len(ids) <= 1:
        raise await _too_few(domain, history, options)
    past = [items[i] for i in history[-options.settings.prompt_history :]]
    session = state.get("training_session")
    evidence = index.table(history, ids, leave_out=session) if index else None
    pool = ids
    repeats = index.repeats if index else 0.0
    task = first_stage_task(history, past, [items[i] for i in pool], evidence, vectors, repeats)
    scores = await first_stage_scores(domain, task, options, session=session)
    scored = dict(zip(pool, scores.tolist(), strict=True))
    if listed is None:
        ids = best(scored, options.settings.candidates, keep=target)
    rows = {item: row for row, item in enumerate(pool)}
    training = session is not None
    order = [rows[item] for item in listing(ids, scored, history, options, training=training)]
    return {
        "domain": domain.name,
        "domain_id": domain.id,
        "model": options.model,
        "session_embedding": embedding.tolist(),
        "history_items": [view_of(item) for item in past],
        "candidate_items": [view_of(items[pool[row]]) for row in order],
        "evidence": []
        if evidence is None
        else shown_evidence(evidence[order], scores[order], options),
        "first_stage": [round(score, 5) for score in scores[order].tolist()],
        "reranked": len(order) if options.fuse == "llm" else min(len(order), options.rerank),
        "flags": [] if index or options.fuse == "llm" else [Flag.NO_SESSIONS],
    }


async def _too_few(domain: Domain, history: Sequence[str], options: RunOptions) -> InputError:
    """Return the error that too little is left to recommend, with the cause."""
    withdrawn = await withdrawn_of(options.services, domain)
    if not withdrawn <= set(history):
        return InputError(
            "domain",
            f"What was withdrawn from {domain.name!r}, and the history, leave fewer than two items "
            "to recommend.",
            "Load withdrawn items again, or others.",
        )
    if len(set(history)) == 1:
        return InputError(
            "domain",
            f"{domain.name!r} has fewer than two items besides the history.",
            "Load more items.",
        )
    return InputError(
        "history", "It leaves fewer than two items to recommend.", "Send a shorter one."
    )


def session_embedding(
    history: Sequence[str], embeddings: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the mean of a session's item embeddings (arXiv 2403.16427, section 4.3).

    Args:
        history: Item ids, at least one; repeats count once.
        embeddings: The embeddings of these items at least, shape `[384]` each.

    Returns:
        Shape `[384]`, not normalised.
    """
    chosen = [embeddings[item] for item in dict.fromkeys(history)]
    return np.stack(chosen).mean(axis=0, dtype=np.float64).astype(np.float32)


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
