"""Writes sessions to evaluate on: `python -m re2llm.data.sample films-test.jsonl`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ...records import counted
from . import simulate_sessions

VIEWERS, SEED = 100, 3
"""The demo learns from viewers of seed 1 and evaluates on viewers of seed 2."""


def write_sessions(path: Path) -> int:
    """Write the sessions of simulated viewers whom `re2llm demo` never saw, as JSONL.

    Returns:
        How many sessions it holds.
    """
    sessions = simulate_sessions(VIEWERS, seed=SEED)
    keys = ("history", "target", "candidates")
    lines = [json.dumps({key: getattr(one, key) for key in keys}) for one in sessions]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {counted(write_sessions(Path(name)), 'session')}\n")
