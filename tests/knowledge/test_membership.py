"""A statement finds the rows that are among any number of values."""

from __future__ import annotations

from re2llm.knowledge.catalogue import changed_items
from re2llm.knowledge.domains import claim_domain
from re2llm.knowledge.hint_store import trials
from re2llm.knowledge.hint_store.hints import NO_HINT, hint_key, hints_among
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.sessions.training_sessions import observe_session, session_keys
from re2llm.rank_metrics import ndcg
from re2llm.records import Item, Session
from re2llm.runtime.services import Services
from sqlalchemy import text

MANY = range(1, 70_001)
"""More than a statement may have parameters, which is 65,535."""
ITEMS = """
    INSERT INTO re2llm.item (domain_id, id, title, attributes, embedding)
    SELECT :domain, id, id, '{}', array_fill(0.05, ARRAY[384])::vector
    FROM unnest(ARRAY['a', 'b', 'c']) id
"""


async def test_of_more_values_than_a_statement_has_parameters(
    services: Services, domain: str
) -> None:
    async with services.engine.begin() as connection:
        found = await claim_domain(connection, domain, "e")
        await connection.execute(text(ITEMS), {"domain": found.id})
        await observe_session(connection, found, Session(("a", "b"), "c"), source=domain)
        (session,) = await session_keys(connection, found.id)
        keys = [hint_key(f"Prefer {number}.") for number in MANY]
        for key, rank in ((NO_HINT, 3), (keys[-1], 1)):
            await store_trial(connection, found.id, Trial(session, key, "m", "v", rank, "answer"))
        of_model = (connection, found.id, PromptedModel("m", "v"))
        sessions = [session, *(session + number for number in MANY)]
        assert await trials.plain_ndcg(*of_model, sessions) == {session: ndcg(3)}
        (gain,) = await trials.gains(*of_model, keys, sessions)
        assert gain.gain == 1 - ndcg(3)
        assert await trials.answers(*of_model, keys) == {(session, keys[-1]): "answer"}
        assert await hints_among(connection, found.id, list(MANY)) == []
        items = [Item(f"i{number}", "x") for number in MANY]
        assert await changed_items(connection, found, items) == items
        assert await trials.plain_ndcg(*of_model, []) == {}
