"""Statements of every request, which the server parses and plans once for each connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

_MARK = "re2llm_prepared"
PREPARED = {_MARK: True}
"""Execution options of a statement whose best plan is the same for all parameters."""
_DIRECT = "re2llm_direct"


def prepare_marked(engine: Engine) -> None:
    """Prepare the statements that are marked with `PREPARED`, where the server can hold them.

    Behind a pooler, the next statement may reach another of the server's sessions. A pooler gives
    its clients process ids of its own, to route their cancel requests, so the ids differ.
    """
    event.listen(engine, "connect", _note_if_direct)
    event.listen(engine, "do_execute", _execute)


def _note_if_direct(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (serving,) = cursor.fetchone()
    cursor.close()
    connection.rollback()
    record.info[_DIRECT] = connection.driver_connection.info.backend_pid == serving


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Execute a marked statement; return whether it was one."""
    if not context.execution_options.get(_MARK):
        return False
    lent = context.root_connection.connection
    if not lent.info[_DIRECT]:
        return False
    link = lent.driver_connection
    link.prepare_threshold = 0
    try:
        cursor.execute(statement, parameters)
    finally:
        link.prepare_threshold = None
    return True
