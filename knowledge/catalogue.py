"""The catalogue: store items, and fetch them by id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pgvector
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Text, any_, bindparam, false, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..arrays import Floats32
from ..flattening import within_limits
from ..records import Item
from .domain_locks import hold_row
from .domains import Domain
from .membership import is_among
from .schema.tables import SCHEMA, ItemRow
from .texts import storable

_COPY = (
    f"COPY {SCHEMA}.item (domain_id, id, title, attributes, embedding) FROM STDIN (FORMAT BINARY)"
)

# Written once: what every request asks takes longer to put together than to answer.
_AMONG = (
    ItemRow.domain_id == bindparam("domain"),
    ItemRow.id == any_(bindparam("ids", type_=ARRAY(Text))),
)
_SHOWN = (ItemRow.id, ItemRow.title, ItemRow.attributes)
_ITEMS = select(*_SHOWN).where(*_AMONG)
_EMBEDDINGS = select(ItemRow.id, ItemRow.embedding).where(*_AMONG)
_WITH_EMBEDDINGS = _ITEMS.add_columns(ItemRow.embedding)


async def changed_items(
    connection: AsyncConnection, domain: Domain, items: Sequence[Item]
) -> list[Item]:
    """Return those items that are not stored exactly so already, which spares their embedding.

    Storing a withdrawn item changes it: it is recommended again.
    """
    rows = await connection.execute(
        select(ItemRow.id, ItemRow.title, ItemRow.attributes).where(
            ItemRow.domain_id == domain.id,
            is_among(ItemRow.id, [item.id for item in items]),
            ~ItemRow.withdrawn,
        )
    )
    stored = {row.id: (row.title, row.attributes) for row in rows}
    return [item for item in items if stored.get(item.id) != (item.title, dict(item.attributes))]


async def store_items(
    connection: AsyncConnection, domain: Domain, items: Sequence[Item], embeddings: Floats32
) -> None:
    """Insert items, or replace those of the same id.

    Args:
        connection: A connection in a transaction.
        items: A batch without repeated ids.
        embeddings: Unit vectors, shape `[len(items), 384]`.
    """
    among = select(ItemRow.id).where(*_AMONG)
    wanted = {"domain": domain.id, "ids": [item.id for item in items]}
    there = set(await connection.scalars(among, wanted))
    rows = list(zip(items, embeddings, strict=True))
    await _copy(connection, domain, [row for row in rows if row[0].id not in there])
    replaced = [row for row in rows if row[0].id in there]
    if replaced:
        # The domain's row before its items, as all who change their popularity: else they deadlock.
        await hold_row(connection, domain.id)
        statement = insert(ItemRow)
        new = {name: statement.excluded[name] for name in ("title", "attributes", "embedding")}
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["domain_id", "id"], set_={**new, "withdrawn": false()}
            ),
            [
                {
                    "domain_id": domain.id,
                    "id": item.id,
                    "title": item.title,
                    "attributes": dict(item.attributes),
                    "embedding": embedding,
                }
                for item, embedding in replaced
            ],
        )


async def _copy(
    connection: AsyncConnection, domain: Domain, rows: Sequence[tuple[Item, Floats32]]
) -> None:
    """Insert items that are new."""
    if not rows:
        return
    raw: Any = (await connection.get_raw_connection()).driver_connection
    try:
        async with raw.cursor() as cursor, cursor.copy(_COPY) as copy:
            # The server reads a vector's binary form, whatever type the client calls it.
            copy.set_types(["int4", "text", "text", "jsonb", "bytea"])
            for item, embedding in rows:
                vector = pgvector.Vector(embedding).to_binary()
                row = (domain.id, item.id, item.title, Jsonb(dict(item.attributes)), vector)
                await copy.write_row(row)
    except psycopg.Error as error:  # which SQLAlchemy does not see, as it does those of statements
        raise DBAPIError.instance(_COPY, None, error, psycopg.Error) from error


async def item_ids(connection: AsyncConnection, domain: Domain) -> list[str]:
    """Return every item id of a domain, sorted as text."""
    statement = select(ItemRow.id).where(ItemRow.domain_id == domain.id)
    return sorted(await connection.scalars(statement))


async def nameless_ids(connection: AsyncConnection, domain: Domain) -> frozenset[str]:
    """Return the ids of the items that are called by them, of which nothing else is known."""
    statement = select(ItemRow.id).where(
        ItemRow.domain_id == domain.id, ItemRow.title == ItemRow.id, ItemRow.attributes == {}
    )
    return frozenset(await connection.scalars(statement))


async def catalogue_order(connection: AsyncConnection, domain: Domain) -> list[str]:
    """Return every item id of a domain in the order in which they were first loaded."""
    statement = select(ItemRow.id).where(ItemRow.domain_id == domain.id).order_by(ItemRow.place)
    return list(await connection.scalars(statement))


async def fetch_items(
    connection: AsyncConnection, domain: Domain, ids: Sequence[str]
) -> dict[str, Item]:
    """Return the items of the given ids; unknown ids are simply absent."""
    wanted = {"domain": domain.id, "ids": list(filter(storable, ids))}
    return {row[0]: _item(row) for row in await connection.execute(_ITEMS, wanted)}


async def titles_of(
    connection: AsyncConnection, domain: Domain, ids: Collection[str]
) -> dict[str, str]:
    """Return the titles of the given ids; an id that is unknown stands for itself."""
    items = await fetch_items(connection, domain, list(ids))
    return {id_: items[id_].title if id_ in items else id_ for id_ in ids}


async def all_items(connection: AsyncConnection, domain: Domain) -> list[Item]:
    """Return every item of a domain."""
    rows = await connection.execute(
        select(ItemRow.id, ItemRow.title, ItemRow.attributes).where(ItemRow.domain_id == domain.id)
    )
    return [_item(row) for row in rows]


async def fetch_items_and_embeddings(
    connection: AsyncConnection, domain: Domain, ids: Sequence[str]
) -> tuple[dict[str, Item], dict[str, Floats32]]:
    """Return the items of the given ids, and their embeddings, shape `[384]` each.

    Unknown ids are absent from both.
    """
    wanted = {"domain": domain.id, "ids": list(filter(storable, ids))}
    rows = (await connection.execute(_WITH_EMBEDDINGS, wanted)).all()
    return {row[0]: _item(row) for row in rows}, {row[0]: row[3] for row in rows}


async def item_place(
    connection: AsyncConnection, domain: Domain, id_: str
) -> tuple[int, Floats32, bool]:
    """Return an item's popularity, its embedding, shape `[384]`, and whether it is withdrawn."""
    statement = select(ItemRow.popularity, ItemRow.embedding, ItemRow.withdrawn).where(
        ItemRow.domain_id == domain.id, ItemRow.id == id_
    )
    popularity, embedding, withdrawn = (await connection.execute(statement)).one()
    return popularity, np.asarray(embedding, dtype=np.float32), withdrawn


async def page_of_items(
    connection: AsyncConnection, domain: Domain, *, skip: int, count: int
) -> tuple[list[tuple[Item, int, bool]], int]:
    """Return some of a domain's items with their popularity, the most popular first.

    Args:
        skip: How many to leave out, from the first.
        count: The highest number to return.

    Returns:
        The items, each with its popularity and whether it is withdrawn; and how many the domain
        has.
    """
    of_domain = ItemRow.domain_id == domain.id
    rows = await connection.execute(
        select(*_SHOWN, ItemRow.popularity, ItemRow.withdrawn)
        .where(of_domain)
        .order_by(ItemRow.popularity.desc(), ItemRow.id)
        .offset(skip)
        .limit(count)
    )
    total = await connection.scalar(select(func.count()).select_from(ItemRow).where(of_domain))
    found = [(_item(row), row.popularity, row.withdrawn) for row in rows]
    return found, total or 0


async def fetch_embeddings(
    connection: AsyncConnection, domain: Domain, ids: Sequence[str]
) -> dict[str, Floats32]:
    """Return the embeddings of the given items, shape `[384]` each; unknown ids are absent."""
    wanted = {"domain": domain.id, "ids": list(filter(storable, ids))}
    return {row[0]: row[1] for row in await connection.execute(_EMBEDDINGS, wanted)}


async def refresh_popularity(connection: AsyncConnection, domain: Domain) -> None:
    """Recount in how many training sessions each item occurs.

    Args:
        connection: A connection in the transaction that changed the sessions.
    """
    await connection.execute(
        text("""
            WITH counted AS (
                SELECT chosen.id, count(*) AS sessions
                FROM re2llm.session AS s
                CROSS JOIN LATERAL (
                    SELECT DISTINCT unnest(s.history || s.target) AS id
                ) AS chosen
                WHERE s.domain_id = :domain GROUP BY chosen.id
            )
            UPDATE re2llm.item AS i SET popularity = coalesce(counted.sessions, 0)
            FROM re2llm.item AS every LEFT JOIN counted ON counted.id = every.id
            WHERE every.domain_id = :domain AND i.domain_id = :domain AND i.id = every.id
              AND i.popularity <> coalesce(counted.sessions, 0)
        """),
        {"domain": domain.id},
    )


def _item(row: Sequence[Any]) -> Item:
    """Return the item of a row that begins with its id, title and attributes.

    Its attributes may have been stored before there was a limit.
    """
    return Item(row[0], row[1], within_limits(row[2])[0])
