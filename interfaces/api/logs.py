"""Log records as lines of JSON, with the id of the request that they belong to."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import orjson

from ...terminal_text import printable
from .request_ids import current_request_id

_LONGEST_TEXT, _LONGEST_TRACE, _LONGEST_LINE = 2_000, 8_000, 500
"""Most characters: a message, or an error's, may quote what a client sends."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, of limited size."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line.

        Args:
            record: To write.
        """
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        line.update(getattr(record, "facts", {}))
        line = {name: _short(said) for name, said in line.items()}
        trace = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if trace:
            lines = (printable(one[:_LONGEST_LINE]) for one in trace.split("\n"))
            line["trace"] = "\n".join(lines)[-_LONGEST_TRACE:]  # the error itself comes last
        return orjson.dumps(line, default=str).decode()


def _short(said: Any) -> Any:
    if not isinstance(said, str):
        return said
    return printable(said[:_LONGEST_TEXT]) + ("…" if len(said) > _LONGEST_TEXT else "")


def log_config(level: str) -> dict[str, Any]:
    """Return the configuration of a server's log, which goes to standard error.

    Args:
        level: Such as `INFO`; other libraries' records are kept from `WARNING` on.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{JsonFormatter.__module__}.{JsonFormatter.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "re2llm": {"level": level},
            "uvicorn": {"level": level},
        },
    }
