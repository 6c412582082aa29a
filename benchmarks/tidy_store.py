"""What `hints tidy` makes of a store with much junk: 20 good hints among 500 bad ones.

python -m benchmarks.tidy_store [--junk 500] [--seeds 1,2,3] [--max-llm-calls N] [--json FILE]

The good ones were verified, as `learn` does it; the junk was not. It runs on a throw-away database
with the offline model, on a catalogue that `benchmarks.planted_hints` makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SESSIONS = 240
PANEL = {"RE2LLM_VERIFY_RANDOM": "32", "RE2LLM_VERIFY_DOUBTFUL": "3", "RE2LLM_FUSE": "llm"}
"""Settings: 96 random sessions and the 24 newest, some of which are the same; the model alone
ranks."""


@dataclass(frozen=True)
class Outcome:
    """What is left of a planted store.

    Attributes:
        seed: Of catalogue and junk.
        good: Good hints that are active.
        junk: Others that are active, by kind.
        calls: Model calls of tidying.
        all_calls: Calls that it would take to try every hint on every session.
        verdicts: How many hints were retired for which reason.
    """

    seed: int
    good: int
    junk: dict[str, int]
    calls: int
    all_calls: int
    verdicts: dict[str, int]


async def plant(domain: str, seed: int, junk: int) -> dict[str, str]:
    """Load a catalogue, store good hints and junk in random order, and verify the good ones.

    Returns:
        The kind of each text.
    """
    from re2llm.knowledge.domains import find_domain
    from re2llm.knowledge.hint_store.hints import add_hint
    from re2llm.operations.hints.verify import verify_hints
    from re2llm.operations.loading.load import load_domain
    from re2llm.runtime.context import Context
    from re2llm.runtime.sharing import shared_services

    from .planted_hints import catalogue, planted

    services = await shared_services()
    items, sessions = catalogue(seed, SESSIONS)
    await load_domain(services, domain, items, [lambda _: sessions])
    hints = planted(seed, junk)
    vectors = await asyncio.to_thread(services.embedder.encode, list(hints.texts))
    good: list[int] = []
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for text, kind, vector in zip(hints.texts, hints.kinds, vectors, strict=True):
            number, _ = await add_hint(connection, found.id, text, vector, provenance={})
            good += [number] if kind == "good" else []
    await verify_hints(Context(domain=domain), good)
    return dict(zip(hints.texts, hints.kinds, strict=True))


async def tried_on(domain: str) -> int:
    """Count the sessions that hints are tried on: the newest, and random ones."""
    from re2llm.knowledge.domains import find_domain
    from re2llm.ranking.hints.panels import sessions_to_tidy_by
    from re2llm.runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        sessions, _ = await sessions_to_tidy_by(connection, found.id, services.settings)
    return len(sessions)


async def left(domain: str, kinds: dict[str, str]) -> Counter[str]:
    """Count the active hints by kind."""
    from re2llm.operations.hints.manage import list_hints
    from re2llm.runtime.context import Context

    listed = await list_hints(Context(domain=domain), status="active")
    return Counter(kinds[hint.text] for hint in listed.hints)


async def measure(seed: int, junk: int, max_llm_calls: int | None) -> Outcome:
    """Plant a store, tidy it, and count what is left."""
    from re2llm.operations.hints.tidy import tidy_hints
    from re2llm.runtime.context import Context

    domain = f"planted-{seed}"
    kinds = await plant(domain, seed, junk)
    tidied = await tidy_hints(Context(domain=domain), max_llm_calls=max_llm_calls)
    active = await left(domain, kinds)
    verdicts = Counter(hint.verdict for hint in tidied.changed)
    return Outcome(
        seed=seed,
        good=active.pop("good", 0),
        junk=dict(active),
        calls=tidied.llm_calls,
        all_calls=(len(kinds) + 1) * await tried_on(domain),
        verdicts=dict(verdicts),
    )


async def _measure_all(seeds: list[int], junk: int, max_llm_calls: int | None) -> list[Outcome]:
    from re2llm.runtime.sharing import close_shared_services

    outcomes: list[Outcome] = []
    for seed in seeds:
        outcomes.append(await measure(seed, junk, max_llm_calls))
        print(_line(outcomes[-1], junk), flush=True)
    await close_shared_services()
    return outcomes


def _line(found: Outcome, junk: int) -> str:
    bad = sum(found.junk.values())
    return (
        f"seed {found.seed}: {found.good} of 20 good hints and {bad} of {junk} others are active "
        f"{found.junk or ''}; calls: {found.calls:,} of {found.all_calls:,} "
        f"({found.calls / found.all_calls:.0%}); "
        f"retired: {found.verdicts}"
    )


def main() -> None:
    """Measure on a throw-away database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tidy_store", description=__doc__)
    parser.add_argument("--junk", type=int, default=500, help="bad hints")
    parser.add_argument("--seeds", default="1", help="numbers, comma-separated")
    parser.add_argument("--max-llm-calls", type=int, help="stop after so many model calls")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file")
    given = parser.parse_args()
    file = given.json and given.json.resolve()
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="re2llm-bench-") as home:
        os.environ.update({"RE2LLM_HOME": home, **PANEL})
        os.chdir(home)  # a `.env` in the caller's folder is none of ours
        seeds = [int(seed) for seed in given.seeds.split(",")]
        outcomes = asyncio.run(_measure_all(seeds, given.junk, given.max_llm_calls))
        os.chdir("/")
    if file:
        rows: list[Any] = [asdict(outcome) for outcome in outcomes]
        file.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
