"""What comparisons of ways to learn share: a catalogue of their own, and a model that is counted.

A run begins with nothing learned. The offline model is deterministic, so what it has answered once
is looked up when another run asks the same; each question counts as a call all the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from re2llm.records import Session

DOMAIN = "head-to-head"
"""Whatever is learned in this domain is forgotten before each run."""
_TRAINING = ("sessions_authors_train.jsonl", "sessions_train.jsonl")
_TEST = "sessions_test.jsonl"
_VIEWERS, _TEST_VIEWERS = 120, 30
_LEARNED = ("hint_proposal", "hint", "reflection", "hint_trial")


@dataclass
class Counter:
    """Counts what a model was asked.

    Attributes:
        calls: Since the start.
        answers: By question.
    """

    calls: int = 0
    answers: dict[bytes, Any] = field(default_factory=dict[bytes, Any])


@contextmanager
def counted_offline() -> Iterator[Counter]:
    """Count every question to the offline model, and answer none twice."""
    from re2llm.llm.offline.model import OfflineRanker

    counter, answer = Counter(), OfflineRanker._answer  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def counted(model: OfflineRanker, messages: Sequence[BaseMessage]) -> Any:
        counter.calls += 1
        told = "\0".join(f"{message.type}\0{message.text}" for message in messages)
        key = hashlib.blake2b(told.encode(errors="replace"), digest_size=16).digest()
        if key not in counter.answers:
            counter.answers[key] = answer(model, messages)
        return counter.answers[key]

    OfflineRanker._answer = counted  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    try:
        yield counter
    finally:
        OfflineRanker._answer = answer  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def load(data: Path | None) -> Path | list[Session]:
    """Load the catalogue and its training sessions, unless they are there.

    Args:
        data: A folder of HetRec2011 with its sessions; `None` takes the sample of films.

    Returns:
        The test sessions, which are not stored.
    """
    from re2llm.data.sample import sample_items, simulate_sessions
    from re2llm.errors import InputError
    from re2llm.knowledge.domains import find_domain
    from re2llm.operations.loading.load import load_domain
    from re2llm.operations.loading.load_files import load_files
    from re2llm.runtime.context import Context
    from re2llm.runtime.sharing import shared_services

    services = await shared_services()
    try:
        async with services.engine.connect() as connection:
            await find_domain(connection, DOMAIN)
    except InputError:
        if data is None:
            made = simulate_sessions(_VIEWERS, seed=1)
            await load_domain(services, DOMAIN, sample_items(), [lambda _: made])
        else:
            files = [data / name for name in _TRAINING]
            await load_files(Context(), "hetrec", data, domain=DOMAIN, sessions=files)
    if data is None:
        return simulate_sessions(_TEST_VIEWERS, seed=2)
    return data / _TEST


async def forget() -> None:
    """Forget all that was learned in the domain."""
    from re2llm.runtime.sharing import shared_services
    from sqlalchemy import text

    services = await shared_services()
    own = "WHERE domain_id = (SELECT id FROM re2llm.domain WHERE name = :domain)"
    statements = [f"DELETE FROM re2llm.{table} {own}" for table in _LEARNED]  # noqa: S608  # of ours
    # Releases stay, so that a number means one release, as the caches expect.
    statements.append(f"UPDATE re2llm.policy_release SET status = 'inactive' {own}")  # noqa: S608
    async with services.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement), {"domain": DOMAIN})


class Results:
    """What runs have found, in a file: a run that is in it is not made again.

    Args:
        file: JSON; `None` keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        there = file is not None and file.exists()
        self.rows: list[dict[str, Any]] = json.loads(file.read_text()) if file and there else []

    def find(self, **key: Any) -> dict[str, Any] | None:
        """Return a run that was made already."""
        return next((row for row in self.rows if key.items() <= row.items()), None)

    def add(self, row: dict[str, Any]) -> None:
        """Keep what a run has found."""
        self.rows.append(row)
        if self._file is not None:
            made = self._file.with_suffix(".part")
            made.write_text(json.dumps(self.rows, indent=1) + "\n")
            made.replace(self._file)


async def unseen_sessions(count: int, seed: int) -> list[int]:
    """Return training sessions on which `learn` verifies no hint."""
    from re2llm.ranking.hints.panels import drawn_sessions, largest_panel
    from re2llm.runtime.context import Context
    from re2llm.runtime.options import resolve_context

    options = await resolve_context(Context(domain=DOMAIN, seed=seed, fuse="llm"))
    panel = largest_panel(options.settings)
    return (await drawn_sessions(DOMAIN, panel + count, options))[panel:]


def run(work: Any) -> None:
    """Run a coroutine, and close what it has opened."""
    from re2llm.runtime.sharing import close_shared_services

    async def whole() -> None:
        try:
            await work
        finally:
            await close_shared_services()

    asyncio.run(whole())
