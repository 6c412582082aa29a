"""A user's own tables, written and read for tests."""

from pathlib import Path
from typing import Any

from re2llm.data.interactions import TableOptions
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.records import Item, Session

START = 1_600_000_000


def table(path: Path, names: str, *rows: str) -> Path:
    """Write lines below a header."""
    path.write_text("\n".join([names, *rows]) + "\n")
    return path


def log_of(folder: Path, names: str, ids: list[Any], users: int = 2) -> Path:
    """Write a log in which each user has chosen all items, each beginning with another one."""
    rows = [
        f"u{user},{id_},{START + place}"
        for user in range(users)
        for place, id_ in enumerate(ids[user:] + ids[:user])
    ]
    return table(folder / "log.csv", f"user_id,{names},timestamp", *rows)


def loaded(log: Path, **options: Any) -> tuple[list[Item], list[Session], ReadReport]:
    """Return what a load would read of a log, and whatever it has to say."""
    reader, report = open_reader("table", log, TableOptions(**options)), ReadReport()
    items = list(reader.items(report))
    sessions = list(reader.sessions(report, {item.id for item in items}))
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    return items, sessions, report
