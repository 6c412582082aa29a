"""What a server must have before the schema is migrated, and what to do where it has not."""

from __future__ import annotations

import re

from psycopg import errors
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ..errors import DatabaseError
from .connection_words import UNICODE
from .schema.tables import SCHEMA

_OLDEST = 13
"""The oldest major version of PostgreSQL that pgvector 0.8.4 supports."""
_OLDEST_VECTOR = (0, 8)
"""The oldest pgvector with all that the queries use; before 0.8.4, an index may lose rows."""
_ENCODINGS = {"UTF8", "SQL_ASCII"}
"""Encodings that hold every text; the latter takes all bytes as they come."""
FIELD = "RE2LLM_DATABASE_URL"
"""The field that every error names."""


def require_recent(connection: Connection) -> None:
    """Make sure that the server is recent enough.

    Raises:
        DatabaseError: It is older.
    """
    version = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    if version < _OLDEST:
        raise DatabaseError(
            FIELD,
            f"The server is PostgreSQL {version}.",
            f"Use PostgreSQL {_OLDEST} or later, with pgvector 0.8.4 or later.",
        )


def require_unicode(connection: Connection) -> None:
    """Make sure that the database can hold titles in any script.

    Raises:
        DatabaseError: It has an encoding of few languages.
    """
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding not in _ENCODINGS:
        raise DatabaseError(FIELD, f"Its encoding is {encoding}.", UNICODE)


def require_recent_vector(connection: Connection) -> None:
    """Make sure that pgvector is recent enough.

    Raises:
        DatabaseError: It is older.
    """
    version = connection.scalar(
        text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    )
    parts = re.findall(r"\d{1,6}", str(version))
    if tuple(map(int, parts[: len(_OLDEST_VECTOR)])) < _OLDEST_VECTOR:
        raise DatabaseError(
            FIELD,
            f"Its pgvector is version {version}.",
            "Install pgvector 0.8.4 or later there, and run: ALTER EXTENSION vector UPDATE;",
        )


def require_visible_vector(connection: Connection) -> None:
    """Make sure that pgvector is in the search path.

    Raises:
        DatabaseError: It is not.
    """
    schema, visible = connection.execute(
        text(
            "SELECT extnamespace::regnamespace::text, to_regtype('vector') IS NOT NULL "
            "FROM pg_extension WHERE extname = 'vector'"
        )
    ).one()
    if not visible:
        problem = f"pgvector is in schema {schema}, which is not in the search path."
        raise DatabaseError(FIELD, problem, _path_remedy(connection, schema))


def _path_remedy(connection: Connection, schema: str) -> str:
    """Return how a schema gets into the search path: by a setting that no other one outranks.

    Settings of a role count for the one that logged in, whichever it has become.
    """
    path, source, database, role = connection.execute(
        text(
            "SELECT setting, source, quote_ident(current_database()), quote_ident(session_user) "
            "FROM pg_settings WHERE name = 'search_path'"
        )
    ).one()
    longer = f"{path}, {schema}" if path.strip('" ') else schema
    match source:
        case "client" | "session":
            return f"Add {schema} to the search_path that the connection sets, as in options=."
        case "user":
            whose = f"ROLE {role}"
        case "database user":
            whose = f"ROLE {role} IN DATABASE {database}"
        case _:
            whose = f"DATABASE {database}"
    return f"Run: ALTER {whose} SET search_path = {longer};"


def grants(schema: str, role: str) -> str:
    """Return the statements that let a role use a schema of ours.

    Args:
        role: Quoted where it has to be.
    """
    return (
        f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL "
        f"TABLES IN SCHEMA {schema} TO {role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO "
        f"{role};"
    )


def may_read(connection: Connection, schema: str) -> bool | None:
    """Return whether the current role may read all tables of a schema; `None` if there is none."""
    return connection.scalar(
        text(
            "SELECT has_schema_privilege(current_user, s.oid, 'USAGE') AND NOT EXISTS (SELECT FROM "
            "pg_class c WHERE c.relnamespace = s.oid AND c.relkind = 'r' AND NOT "
            "has_table_privilege(current_user, c.oid, 'SELECT')) "
            "FROM pg_namespace s WHERE s.nspname = :schema"
        ),
        {"schema": schema},
    )


def wants_owner(said: str, *, may_read: bool | None) -> bool:
    """Return whether a refused migration needs the schema's owner, for no grant allows it.

    Args:
        said: The server's words.
        may_read: The result of the function of that name.
    """
    changes_schema = said.startswith("permission denied for schema") and bool(may_read)
    return said.startswith("must be owner") or changes_schema


def explained(connection: Connection, error: DBAPIError) -> DatabaseError:
    """Return an error of the server as what an administrator can do about it.

    Raises:
        DBAPIError: The connection was lost, which says nothing about the server.
    """
    if error.connection_invalidated:
        raise error
    connection.rollback()
    database, role = connection.execute(
        text("SELECT quote_ident(current_database()), quote_ident(current_user)")
    ).one()
    said = str(error.orig).strip().splitlines()[0]
    owners = wants_owner(said, may_read=may_read(connection, SCHEMA))
    match error.orig:
        case errors.FeatureNotSupported() | errors.UndefinedFile():
            problem = "The server has no pgvector"
            remedy = "Install pgvector 0.8.4 or later there, and run: CREATE EXTENSION vector;"
        case errors.InsufficientPrivilege() if owners:
            problem = f"The schema {SCHEMA} is not up to date, and the role {role} does not own it"
            remedy = "Have its owner run this version once, such as `re2llm hints list`."
        case errors.InsufficientPrivilege() if "schema" in said or "table" in said:
            problem = f"The role {role} may not use the tables in schema {SCHEMA}"
            remedy = f"Have their owner run: {grants(SCHEMA, role)}"
        case errors.InsufficientPrivilege():
            problem = f"The role {role} may not create the schema {SCHEMA} or pgvector"
            remedy = (
                "Have an administrator run: CREATE EXTENSION IF NOT EXISTS vector; "
                f"GRANT CREATE ON DATABASE {database} TO {role};"
            )
        case errors.InvalidSchemaName():
            problem = "No schema of the search path exists, so pgvector has no place"
            path = _path_remedy(connection, "extensions").removeprefix("Run: ")
            remedy = (
                "Have an administrator run: CREATE SCHEMA IF NOT EXISTS extensions; "
                f"CREATE EXTENSION vector SCHEMA extensions; {path}"
            )
        case errors.ReadOnlySqlTransaction():
            problem = "The server is read-only, and the schema is not up to date"
            remedy = "Use the primary server; or migrate there first, with `re2llm hints list`."
        case _:
            problem, remedy = "The schema cannot be brought up to date", "See the server's log."
    return DatabaseError(FIELD, f"{problem} ({said}).", remedy)
