"""Items of very many attributes, stored before there was a limit, take little time to serve."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.flattening import MOST_VALUES
from re2llm.llm.ranking_prompts.ranking_table import item_table
from re2llm.operations.catalogue.items import show_item
from re2llm.operations.recommending.recommend import recommend
from re2llm.policies.session_stats import main_number
from re2llm.records import Item
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

MANY = 20_000
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "own names": lambda n: {f"{n}-{at}": at for at in range(MANY)},
    "own texts": lambda n: {f"{at}-{n}": "x" for at in range(MANY)},
    "a list": lambda n: {"tags": [f"{n}-{at}" for at in range(MANY)]},
    "lists": lambda n: {f"{at}": [f"{n}-{at}"] * 1_000 for at in range(20)},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_stored_items_are_served_within_limits(
    load: Callable[..., Any], services: Services, domain: str, kind: str
) -> None:
    ids = [str(n) for n in range(8)]
    await load(domain, [Item(id_, f"Thing {id_}", {"year": 1990}) for id_ in ids])
    async with services.engine.begin() as connection:
        for number, id_ in enumerate(ids):
            facts = json.dumps({"": 1990} | KINDS[kind](number))
            statement = "UPDATE re2llm.item SET attributes = CAST(:facts AS jsonb) WHERE id = :id"
            among = " AND domain_id = (SELECT id FROM re2llm.domain WHERE name = :domain)"
            given = {"facts": facts, "id": id_, "domain": domain}
            await connection.execute(text(statement + among), given)
    context = Context(domain=domain, policy="none")
    made = await recommend(context, ["id:0", "id:1"], candidates=[f"id:{n}" for n in range(2, 8)])
    assert len(made.items) >= 5
    attributes = (await show_item(context, "id:3")).attributes
    listed = [value for value in attributes.values() if isinstance(value, list)]
    assert len(attributes) - len(listed) + sum(map(len, listed)) <= MOST_VALUES


class Counted(dict[str, Any]):
    """Attributes that count how often one is looked up."""

    looked_up = 0

    def get(self, *given: Any) -> Any:
        Counted.looked_up += 1
        return super().get(*given)


@pytest.mark.parametrize(
    "facts",
    [
        lambda n: {f"{n}-{at}": at for at in range(MOST_VALUES)},
        lambda n: {f"{'x' * 40}{n}-{at}": at for at in range(MOST_VALUES)},
        lambda n: {f":{n}-{at}": "x" for at in range(MOST_VALUES)},
    ],
    ids=["own names", "names cut alike", "texts"],
)
def test_only_what_may_be_shown_is_compared(facts: Callable[[int], dict[str, Any]]) -> None:
    items = [Item(str(n), f"Thing {n}", Counted(facts(n))) for n in range(50)]
    Counted.looked_up = 0
    table = item_table([], items, [])
    assert 1 <= len(table.names) <= 12
    assert main_number([item.attributes for item in items]) is None
    assert Counted.looked_up <= 50 * 24


def test_the_main_number_is_the_steadiest_of_those_that_most_have() -> None:
    items: list[dict[str, Any]] = [
        {"year": 1990 + n, "score": n, "new": True, **({"rare": 1} if n < 3 else {})}
        for n in range(10)
    ]
    assert main_number(items) == "year"
    assert main_number([{"a": "x"}, {}]) is None
