"""API keys: made once, shown once, stored as a hash, looked up by the id in them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError, NotGrantedError
from ..domains import find_domain
from ..schema.keys import ApiKeyDomainRow, ApiKeyRow
from ..schema.tables import DomainRow
from ..texts import storable
from .grants import Grants, Right

PREFIX = "re2llm_"
"""The prefix of every key, so that people and secret scanners recognise it."""

_PARTS = 3
_ID_BYTES = 6
_SECRET_BYTES = 32
_COLUMNS = [column for column in ApiKeyRow.__table__.columns if column.key != "secret_hash"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret.

    Attributes:
        id: The part by which it is looked up and revoked.
        owner: The owner whose threads and runs it opens.
        domains: Names of the domains that it may know of, sorted.
        grants: What else it may do and spend.
        created_at: When it was made.
        revoked_at: When it stopped working; `None` while it works.
    """

    id: str
    owner: str
    domains: list[str]
    grants: Grants
    created_at: dt.datetime
    revoked_at: dt.datetime | None


async def create_key(
    connection: AsyncConnection, owner: str, domains: Sequence[str], grants: Grants | None = None
) -> str:
    """Make a key and store its hash.

    Args:
        connection: A connection in a transaction.
        domains: Names of the domains that it may know of.
        grants: What else it may do and spend; `None` for the defaults.

    Returns:
        The whole key, which cannot be had again.

    Raises:
        InputError: A domain does not exist, none is named, the owner cannot be used as a name,
            or a grant is out of range.
    """
    grants = grants or Grants()
    grants.check()
    if not owner.strip() or not storable(owner):
        raise InputError("owner", f"{owner!r} cannot be used as a name.", "Choose a plain name.")
    if not domains:
        raise InputError(
            "domains", "The key would give access to nothing.", "Name at least one domain."
        )
    found = {(await find_domain(connection, name)).id for name in domains}
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "id": key_id,
        "owner": owner,
        "secret_hash": _hash(secret),
        **grants.as_dict(),
    }
    await connection.execute(insert(ApiKeyRow).values(row))
    links = [{"key_id": key_id, "domain_id": domain} for domain in sorted(found)]
    await connection.execute(insert(ApiKeyDomainRow).values(links))
    return f"{PREFIX}{key_id}_{secret}"


def id_of(key: str) -> str:
    """Return the id of a whole key, by which it is looked up and revoked."""
    return key.split("_", _PARTS - 1)[1]


async def check_key(connection: AsyncConnection, key: str) -> ApiKey | None:
    """Return the API key that a key's text stands for, or `None` if it is wrong or revoked."""
    parts = key.split("_", _PARTS - 1)
    whole = len(parts) == _PARTS and key.startswith(PREFIX) and storable(key)
    key_id, secret = (parts[1], parts[2]) if whole else ("", "")
    named = select(ApiKeyRow.secret_hash).where(ApiKeyRow.id == key_id)
    stored = await connection.scalar(named)
    if not hmac.compare_digest(stored or b"", _hash(secret)):
        return None
    (found,) = await _read(connection, key_id)
    return None if found.revoked_at is not None else found


async def find_key(connection: AsyncConnection, key_id: str) -> ApiKey | None:
    """Return the key of this id, revoked or not."""
    found = await _read(connection, key_id)
    return found[0] if found else None


async def list_keys(connection: AsyncConnection) -> list[ApiKey]:
    """Return all keys, revoked ones too, oldest first."""
    return await _read(connection)


async def any_key_works(connection: AsyncConnection) -> bool:
    """Whether there is a key that is not revoked."""
    works = select(ApiKeyRow.id).where(ApiKeyRow.revoked_at.is_(None)).limit(1)
    return await connection.scalar(works) is not None


async def revoke_key(connection: AsyncConnection, key_id: str) -> bool:
    """Make a key stop working, at once and for ever.

    Args:
        connection: A connection in a transaction.
        key_id: As `list_keys` shows it.

    Returns:
        Whether it worked until now.

    Raises:
        InputError: There is no such key.
    """
    if not await _read(connection, key_id):
        raise InputError("key", f"There is no key {key_id!r}.", "`re2llm keys list` shows all.")
    revoked = await connection.scalar(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKeyRow.id)
    )
    return revoked is not None


async def hold_key(connection: AsyncConnection, key_id: str | None) -> None:
    """Make sure that a key works, and keeps working until the transaction ends.

    So the transaction that revokes the key sees what was started in this one.

    Args:
        connection: A connection in a transaction.
        key_id: The id of the key; `None` for a run without one.

    Raises:
        NotGrantedError: It was revoked.
    """
    if key_id is None:
        return
    works = select(ApiKeyRow.id).where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
    if await connection.scalar(works.with_for_update(read=True)) is None:
        raise NotGrantedError("key", "It was revoked.", "Use another key.")


def _hash(secret: str) -> bytes:
    # 256 random bits cannot be guessed, so the hash need not be slow as a password's must.
    return hashlib.sha256(secret.encode()).digest()


async def _read(connection: AsyncConnection, key_id: str | None = None) -> list[ApiKey]:
    keys = select(*_COLUMNS).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
    names = (
        select(ApiKeyDomainRow.key_id, DomainRow.name)
        .join(DomainRow, DomainRow.id == ApiKeyDomainRow.domain_id)
        .order_by(DomainRow.name)
    )
    if key_id is not None:
        if not storable(key_id):
            return []
        keys = keys.where(ApiKeyRow.id == key_id)
        names = names.where(ApiKeyDomainRow.key_id == key_id)
    domains = defaultdict[str, list[str]](list)
    for key, name in await connection.execute(names):
        domains[key].append(name)
    return [
        ApiKey(
            id=row.id,
            owner=row.owner,
            domains=domains[row.id],
            grants=Grants(
                models=tuple(row.models),
                may=tuple(cast("list[Right]", row.may)),
                calls_per_day=row.calls_per_day,
                usd_per_day=row.usd_per_day,
                requests_per_minute=row.requests_per_minute,
            ),
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )
        for row in await connection.execute(keys)
    ]
