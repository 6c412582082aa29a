"""Node `store_hint`: writes a reflection with all its hints, at once or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langgraph.config import get_stream_writer
from sqlalchemy.ext.asyncio import AsyncConnection

from ..arrays import Floats32
from ..knowledge.domain_locks import hold_hints
from ..knowledge.hint_store.bringing_back import add_or_bring_back
from ..knowledge.hint_store.hints import Hint, count_kept
from ..knowledge.hint_store.reflections import (
    Proposal,
    Reflection,
    store_proposal,
    store_reflection,
)
from ..llm.hints.reflection_prompt import REFLECTION_PROMPT_VERSION
from ..ranking.hints.repeats import close_hints, embed, repeated_hint
from ..runtime.node import Update, node
from ..runtime.options import RunOptions
from .learn_state import LearnState, ProposalView

Vectors = Mapping[str, Floats32]
"""The embeddings of the hints that passed, by their texts, shape `[384]` each."""


@node
async def store_hint(state: LearnState, options: RunOptions) -> Update:
    """Store the hints that passed, unless another worker has stored similar ones meanwhile.

    Returns:
        The proposals with their final outcome.

    Raises:
        BudgetSpentError: There is no room for any of them; the session stays to be learned from.
    """
    proposals = [_copy(proposal) for proposal in state["proposals"]]
    # To ask again could cost a call that the budget does not have any more.
    compared = {(one["text"], hint) for one in proposals for hint in one.get("compared", ())}
    # Before the transaction, which others wait for.
    passed = [one["text"] for one in proposals if one["outcome"] is None]
    vectors = {text: await embed(text, options) for text in passed}
    while True:
        async with options.services.engine.begin() as connection:
            await hold_hints(connection, state["domain_id"])
            unseen = await _unseen(connection, state, proposals, compared, vectors, options)
            if not unseen:
                await _drop_surplus(connection, state, proposals, options)
                await _write(connection, state, proposals, vectors, options)
                break
        # The model is asked outside the transaction, so that others need not wait for it.
        for proposal, hints in unseen:
            repeated = await repeated_hint(proposal["text"], hints, options)
            if repeated is not None:
                proposal["outcome"] = "duplicate"
                proposal["reason"] = f"It says the same as: {repeated.text}"
                proposal["hint_id"] = repeated.id
            compared |= {(proposal["text"], hint.id) for hint in hints}
    write = get_stream_writer()
    for proposal in proposals:
        if proposal["outcome"] == "stored":
            write({"event": "stored", "text": proposal["text"], "hint": proposal["hint_id"]})
    return {"proposals": proposals}


def _copy(proposal: ProposalView) -> ProposalView:
    """Copy a proposal, since a node may not change the state that it is given."""
    return {**proposal}


async def _unseen(
    connection: AsyncConnection,
    state: LearnState,
    proposals: Sequence[ProposalView],
    compared: set[tuple[str, int]],
    vectors: Vectors,
    options: RunOptions,
) -> list[tuple[ProposalView, list[Hint]]]:
    """Return the proposals with those near hints that they were not compared with."""
    found: list[tuple[ProposalView, list[Hint]]] = []
    for proposal in proposals:
        if proposal["outcome"] is not None:
            continue
        text = proposal["text"]
        near = await close_hints(connection, state["domain_id"], vectors[text], options)
        hints = [hint for hint in near if (text, hint.id) not in compared]
        if hints:
            found.append((proposal, hints))
    return found


async def _drop_surplus(
    connection: AsyncConnection,
    state: LearnState,
    proposals: Sequence[ProposalView],
    options: RunOptions,
) -> None:
    """Keep the best of the hints that passed where there is not room for all."""
    passed = [proposal for proposal in proposals if proposal["outcome"] is None]
    if options.budget is None or not passed:
        return
    room = options.budget.room_for_hints(await count_kept(connection, state["domain_id"]))
    if room is None:
        return
    passed.sort(key=lambda proposal: -proposal["verification"].get("mean", 0.0))
    for proposal in passed[room:]:
        proposal["outcome"], proposal["reason"] = "surplus", "There was room for better ones only."


async def _write(
    connection: AsyncConnection,
    state: LearnState,
    proposals: Sequence[ProposalView],
    vectors: Vectors,
    options: RunOptions,
) -> None:
    session = state.get("training_session")
    tried = any(proposal["outcome"] != "leak" for proposal in proposals)
    reflection = await store_reflection(
        connection,
        state["domain_id"],
        Reflection(
            session_id=session or 0,
            model=options.model,
            prompt_version=REFLECTION_PROMPT_VERSION,
            rank=state["rank"],
            diagnosis=state["reflection"]["diagnosis"],
            messages=state["reflection"]["messages"],
            hintless_of="" if tried else options.reflect_model,
            batch={miss["session"]: miss["rank"] for miss in state.get("batch") or ()},
        ),
    )
    if reflection is None:  # another worker has learned from this session
        for proposal in proposals:
            proposal["outcome"] = proposal["outcome"] or "duplicate"
        return
    status = "pending" if options.settings.approve_hints else "active"
    became: dict[str, int | None] = {}
    for proposal in proposals:
        if proposal["hint_id"] is None and "repeats" in proposal:
            proposal["hint_id"] = became.get(proposal["repeats"])
        if proposal["outcome"] is None:
            hint_id = await add_or_bring_back(
                connection,
                state["domain_id"],
                proposal["text"],
                vectors[proposal["text"]],
                options.prompted_model,
                provenance={"source": "reflection", "reflection": reflection, "session": session},
                status=status,
            )
            proposal["outcome"], proposal["hint_id"] = "stored", hint_id
        became[proposal["text"]] = proposal["hint_id"]
        await store_proposal(
            connection,
            state["domain_id"],
            reflection,
            Proposal(
                proposal["text"],
                proposal["outcome"],
                proposal["reason"],
                proposal["hint_id"],
                proposal["verification"],
            ),
        )
