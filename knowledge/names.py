"""Names for shell completion, asked of a running database in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, LiteralString

import psycopg
from sqlalchemy import make_url

from ..settings import Settings
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
        domain: Whose hints or releases; empty for the only one there is.

    Raises:
        psycopg.Error: The database does not answer within a moment.
    """
    given = settings.database_url
    url = running_embedded(settings.home) if given is None else given.get_secret_value()
    if url is None:
        return []
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    options = f"-c statement_timeout={_SECONDS}s -c default_transaction_read_only=on"
    with psycopg.connect(plain, connect_timeout=_SECONDS, options=options) as connection:
        if not domain and kind != "domain":
            (domain,) = connection.execute(_ONLY).fetchone() or ("",)
        return connection.execute(_QUERIES[kind], {"domain": domain}).fetchmany(_MOST)
