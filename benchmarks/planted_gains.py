"""What tidying makes of hints with gains of many kinds, by simulation.

python -m benchmarks.planted_gains [--junk 500] [--sessions 300] [--seeds 1,2,3]

`benchmarks.tidy_store` asks a model instead, whose hints gain and lose in a few ways only. In each
store, 20 hints that help hide among others that do not. No database is used.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from re2llm.arrays import Floats
from re2llm.knowledge.hint_store.decisions import KeptHint
from re2llm.knowledge.hint_store.hints import Hint
from re2llm.ranking.hints.proof import looks, typical_loss
from re2llm.ranking.hints.tidy_store import Store
from re2llm.ranking.hints.tidying import Judge

GOOD = 20
NEWEST = 24


@dataclass(frozen=True)
class Kind:
    """Hints that gain in some sessions, lose in others, and change nothing in the rest.

    Attributes:
        gains: In which part of the sessions.
        gained: The smallest and largest gain there.
        loses: In which part of the sessions.
        lost: The smallest and largest loss there.
    """

    gains: float
    gained: tuple[float, float]
    loses: float
    lost: tuple[float, float]

    def draw(self, rng: np.random.Generator, hints: int, sessions: int) -> Floats:
        """Return gains, shape `[hints, sessions]`."""
        shape = hints, sessions
        part = rng.random(shape)
        loss = np.where(part < self.gains + self.loses, -rng.uniform(*self.lost, shape), 0.0)
        return np.where(part < self.gains, rng.uniform(*self.gained, shape), loss)

    @property
    def mean(self) -> float:
        """The true mean gain."""
        return (self.gains * sum(self.gained) - self.loses * sum(self.lost)) / 2


HELPFUL: Mapping[str, Kind] = {
    "ordinary": Kind(0.35, (0.1, 0.6), 0.15, (0.05, 0.4)),
    "often": Kind(0.6, (0.05, 0.3), 0.25, (0.05, 0.3)),
    "rare large gains": Kind(0.1, (0.3, 0.8), 0.5, (0.01, 0.03)),
}
JUNK: Mapping[str, Kind] = {
    "as often this way as that": Kind(0.3, (0.05, 0.6), 0.3, (0.05, 0.6)),
    "seldom anything": Kind(0.05, (0.05, 0.6), 0.05, (0.05, 0.6)),
    "rare large losses": Kind(0.7, (0.01, 0.03), 0.035, (0.4, 0.6)),
    "rarer larger losses": Kind(0.7, (0.01, 0.03), 0.02, (0.6, 0.9)),
    "the rarest losses": Kind(0.5, (0.01, 0.02), 0.012, (0.5, 1.0)),
    "large losses now and then": Kind(0.6, (0.01, 0.05), 0.08, (0.1, 0.4)),
    "rare large gains for many losses": Kind(0.03, (0.4, 0.8), 0.62, (0.01, 0.05)),
}


@dataclass(frozen=True)
class Left:
    """What is left of a store.

    Attributes:
        good: Hints that help.
        junk: Others.
        trials: That were needed.
    """

    good: int
    junk: int
    trials: int


def tidied(helpful: Kind, junk: Kind, *, others: int, sessions: int, seed: int) -> Left:
    """Tidy a store as `hints tidy` does, round after round.

    Args:
        others: How many hints do not help.
        sessions: On which hints are tried.
    """
    rng = np.random.default_rng(seed)
    groups = [helpful.draw(rng, GOOD, sessions), junk.draw(rng, others, sessions)]
    every = np.vstack(groups)
    known = np.full_like(every, np.nan)
    hints = [_hint(number, rng) for number in range(len(every))]
    left = list(range(len(every)))
    for look in looks(sessions):
        for hint in _judge(hints, known, left, final=False).wanted(look):
            known[hint.hint.id, :look] = every[hint.hint.id, :look]
        changes = _judge(hints, known, left, final=look == sessions).changes
        gone = {change.hint_id for change in changes if change.after == "retired"}
        left = [row for row in left if row not in gone]
    good = sum(row < GOOD for row in left)
    return Left(good, len(left) - good, int((~np.isnan(known)).sum()))


def _judge(hints: list[KeptHint], known: Floats, left: list[int], *, final: bool) -> Judge:
    store = Store(
        hints=[hints[row] for row in left],
        gains=known[left],
        planned=[known.shape[1]] * len(left),
        newest=NEWEST,
        tested=len(hints),
        most=64,
        loss=typical_loss(known),
    )
    return Judge(store, final=final)


def _hint(number: int, rng: np.random.Generator) -> KeptHint:
    vector = rng.standard_normal(384)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    hint = Hint(number, f"Hint {number}.", "active")
    return KeptHint(hint, unit, dt.datetime.now(dt.UTC), [str(number).encode()])


def main() -> None:
    """Tidy one store for each two kinds and each seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_gains", description=__doc__)
    parser.add_argument("--junk", type=int, default=500, help="hints that do not help")
    parser.add_argument("--sessions", type=int, default=300, help="on which hints are tried")
    parser.add_argument("--seeds", default="1,2,3", help="numbers, comma-separated")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    for good, helpful in HELPFUL.items():
        for bad, junk in JUNK.items():
            size = {"others": given.junk, "sessions": given.sessions}
            found = [tidied(helpful, junk, seed=seed, **size) for seed in seeds]
            kept, rest, paid = (
                np.mean([getattr(one, name) for one in found])
                for name in ("good", "junk", "trials")
            )
            print(
                f"{good} ({helpful.mean:+.4f}) among {bad} ({junk.mean:+.4f}): "
                f"{kept:.1f} of {GOOD} and {rest:.1f} of {given.junk} others stay; "
                f"trials: {paid:,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
