"""What trying a session out compares, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from re2llm.data.sample import sample_items
from re2llm.knowledge.schema.rollouts import ExposureRow, RolloutRow
from re2llm.knowledge.schema.tables import DomainRow
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.recommending.try_session import try_session
from re2llm.operations.releases.rollouts import show_canary, start_canary
from re2llm.policies.rollout.plan import Plan
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, two_releases
from sqlalchemy import func, select

Script = Callable[..., tuple[str, Any]]


@pytest.mark.parametrize("listed", [None, FILM_IDS[50:20:-1]])
async def test_a_hint_that_changes_no_answer_moves_nothing(
    services: Services,
    domain: str,
    film_sessions: list[Session],
    script: Script,
    listed: list[str] | None,
) -> None:
    await load_domain(services, domain, sample_items(), [lambda _: film_sessions])

    def answer(_: Sequence[BaseMessage]) -> str:
        return '{"ranking": [5, 3, 8, 1]}'

    hint = await add_hint(Context(domain=domain), "Prefer what is new.")
    name, model = script(answer)
    context = Context(domain=domain, model=name, fuse="learned", prompt="json", record=False)
    for start in range(0, 60, 12):
        tried = await try_session(
            context, FILM_IDS[start : start + 3], candidates=listed, hint=hint.hint_id
        )
        assert tried.plain is not None
        assert tried.hinted.recommended.ranking == tried.plain.recommended.ranking
        assert set(tried.moved.values()) == {0}
    with_hint, without = model.asked[:2]
    assert "Prefer what is new." in with_hint[-1].text
    assert "Prefer what is new." not in without[-1].text


@pytest.mark.long
async def test_a_try_is_no_part_of_a_live_rollout(
    services: Services, load: Callable[..., Any], domain: str, film_sessions: list[Session]
) -> None:
    await load(domain, sample_items(), film_sessions[:20])
    await two_releases(services, domain)
    await start_canary(Context(), 2, domain=domain, plan=Plan(steps=(50, 100), hold=5))
    context = Context(domain=domain)
    asked = [[one, other] for one, other in zip(FILM_IDS[:8], FILM_IDS[8:16], strict=True)]
    candidates = FILM_IDS[20:32]
    served = {(await recommend(context, one, candidates=candidates)).hint.policy for one in asked}
    assert served == {"ppo:1", "ppo:2"}
    before = await exposures(services, domain)
    assert before == len(asked)
    for one in asked:
        tried = await try_session(context, one, candidates=candidates)
        made = tried.hinted.recommended
        assert made.hint.policy == "ppo:1"
        assert made.hint.probability == 1.0
        assert made.recommendation_id is not None
        await give_feedback(context, made.recommendation_id, f"id:{made.ranking[0]}")
    assert await exposures(services, domain) == before
    shown = await show_canary(context)
    assert shown.control_counts.answered == shown.canary_counts.answered == 0


async def test_the_prompt_is_shown_where_the_model_was_asked_whatever_it_said(
    load: Callable[..., Any], domain: str, film_sessions: list[Session], script: Script
) -> None:
    await load(domain, sample_items(), film_sessions[:20])
    name, model = script(lambda _: "")
    context = Context(domain=domain, model=name, record=False)
    tried = await try_session(context, FILM_IDS[:2], candidates=FILM_IDS[20:32])
    assert tried.hinted.answer == ""
    assert [text for _, text in tried.hinted.prompt] == [one.text for one in model.asked[0]]
    asked = len(model.asked)
    context = Context(domain=domain, model=name, record=False, fuse="first_stage")
    tried = await try_session(context, FILM_IDS[:2], candidates=FILM_IDS[20:32])
    assert tried.hinted.prompt == []
    assert len(model.asked) == asked


async def exposures(services: Services, domain: str) -> int:
    statement = (
        select(func.count())
        .select_from(ExposureRow)
        .join(RolloutRow, RolloutRow.id == ExposureRow.rollout_id)
        .join(DomainRow, DomainRow.id == RolloutRow.domain_id)
        .where(DomainRow.name == domain)
    )
    async with services.engine.connect() as connection:
        return await connection.scalar(statement) or 0
