"""Names for shell completion, asked of a running database in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from ..settings import Settings
from .connection_words import read_url
from .embedded_postgres.database import running_embedded

Kind = Literal["domain", "hint", "release"]

_QUERIES: Mapping[Kind, LiteralString] = {
    "domain": "SELECT name, '' FROM re2llm.domain ORDER BY name",
    "hint": "SELECT h.id::text, h.text FROM re2llm.hint AS h JOIN re2llm.domain AS d "
    "ON d.id = h.domain_id WHERE d.name = %(domain)s ORDER BY h.id",
    "release": "SELECT r.number::text, r.status || ', ' || r.model FROM re2llm.policy_release AS r "
    "JOIN re2llm.domain AS d ON d.id = r.domain_id WHERE d.name = %(domain)s ORDER BY r.number",
}
_ONLY = "SELECT min(name) FROM re2llm.domain HAVING count(*) = 1"
_SECONDS = 1
_MOST = 1_000


def stored_names(kind: Kind, domain: str, settings: Settings) -> list[tuple[str, str]]:
    """Return names or numbers with a remark on each; nothing if the database is not running.

    Args:
        domain: The domain of the hints or releases; empty for the only one there is.

    Raises:
        psycopg.Error: The database does not answer within a moment.
        DatabaseError: The settings' URL is not one of PostgreSQL.
    """
    given = settings.database_url
    if given is not None:
        url = read_url(given.get_secret_value())
    elif running := running_embedded(settings.home):
        url = make_url(running)
    else:
        return []
    options = f"-c statement_timeout={_SECONDS}s -c default_transaction_read_only=on"
    told = {**_parts(url), "connect_timeout": _SECONDS, "options": options}
    with psycopg.connect(make_conninfo("", **told)) as connection:
        if not domain and kind != "domain":
            (domain,) = connection.execute(_ONLY).fetchone() or ("",)
        return connection.execute(_QUERIES[kind], {"domain": domain}).fetchmany(_MOST)


def _parts(url: URL) -> Mapping[str, Any]:
    """Return a URL's parts for libpq, which reads signs such as `+` in URLs in another way."""
    url = url.set(drivername="postgresql+psycopg")
    return url.get_dialect()().create_connect_args(url)[1]
