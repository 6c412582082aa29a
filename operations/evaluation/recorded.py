"""Scores recorded answers: alone, and fused with the first stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...evaluation.answer_file import Recorded
from ...evaluation.experiment import Row, target_of
from ...evaluation.recorded import score_answers
from ...knowledge.catalogue import fetch_items
from ...llm.ranking_answers.title_answers import read_titles
from ...policies.fusion import Fusion, Opinions, held_out_ranks, learn_fusion
from ...ranking.gather import gather
from ...ranking.opinion import opinion
from ...ranking.prompt import candidates
from ...ranking.state import RecommendState
from ...records import Session
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..catalogue.titles import in_catalogue
from ..database import in_domain
from ..first_stage.fusion import chosen_row


async def score_recorded(
    context: Context, sessions: Sequence[Session], answers: Sequence[Recorded]
) -> tuple[list[Row], list[dict[str, Any]], Fusion | None]:
    """Score recorded answers, one for each session.

    Returns:
        A row for each parser and, where the domain has training sessions, one of the answers fused
        with the first stage; the sessions in which the parsers differ; and what was learned about
        the fusion. Each session is fused at the weight that the others prefer.

    Raises:
        InputError: The answers do not belong to these sessions.
    """
    options = await resolve_context(replace(context, fuse="first_stage", record=False))
    ids = {key for session in sessions for key in session.candidates or ()}
    async with in_domain(options) as (connection, domain):
        items = await fetch_items(connection, domain, list(ids))
    rows, differences = score_answers(answers, sessions, items)
    states: list[RecommendState] = []
    async with in_catalogue(options, domain):
        for session in sessions:
            request: dict[str, Any] = {
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
                "target": target_of(session),
            }
            found = await gather(domain, cast("RecommendState", request), options)
            states.append(cast("RecommendState", {**request, **found}))
    if not all(state["evidence"] for state in states):
        return rows, differences, None
    listed = [candidates({**state, "reranked": len(state["candidate_items"])}) for state in states]
    data = Opinions(
        [np.array(state.get("first_stage", [])) for state in states],
        [
            opinion(read_titles(answer.text, shown), len(shown))
            for answer, shown in zip(answers, listed, strict=True)
        ],
        [chosen_row(state) for state in states],
    )
    rows.append(Row("fused", "answers", held_out_ranks(data, ())))
    return rows, differences, learn_fusion(data, ())
