"""Baselines without an LLM; to add one, write a `Baseline` class and add a line to `BASELINES`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from ...errors import InputError
from ...records import Session
from ...settings import FuseMode
from .base import (
    Baseline,
    BaselineFactory,
    candidates_of,
    items_of,
    rank_candidates,
    rank_session,
    rank_targets,
    uniform_keys,
)
from .sasrec import Sasrec
from .simple import Popularity, RandomOrder
from .vsknn import Vsknn

__all__ = [
    "BASELINES",
    "FROM_EVIDENCE",
    "Baseline",
    "BaselineEntry",
    "BaselineFactory",
    "candidates_of",
    "check_baselines",
    "create_baseline",
    "items_of",
    "rank_candidates",
    "rank_session",
    "rank_targets",
    "uniform_keys",
]


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """How to fit a baseline, and the optional extra that it needs, with the extra's module."""

    factory: BaselineFactory
    extra: str | None = None
    module: str | None = None


BASELINES: Mapping[str, BaselineEntry] = MappingProxyType(
    {
        "random": BaselineEntry(RandomOrder),
        "popularity": BaselineEntry(Popularity),
        "vsknn": BaselineEntry(Vsknn),
        "sasrec": BaselineEntry(Sasrec, extra="sasrec", module="cornac"),
    }
)
"""Every baseline by its name on the command line."""


FROM_EVIDENCE: Mapping[str, FuseMode] = MappingProxyType(
    {"first-stage": "first_stage", "sum": "sum"}
)
"""Baselines that rank as the product does without a model, with the setting `fuse` of each."""


def check_baselines(names: Sequence[str]) -> None:
    """Check names of baselines before anything slow or paid begins.

    Raises:
        InputError: A name is unknown, or its optional extra is not installed.
    """
    for name in names:
        entry = BASELINES.get(name)
        if name in FROM_EVIDENCE:
            continue
        if entry is None:
            known = ", ".join([*BASELINES, *FROM_EVIDENCE])
            raise InputError("baselines", f"{name!r} is unknown.", f"Choose from {known}.")
        if entry.module is not None and find_spec(entry.module) is None:
            raise InputError(
                "baselines",
                f"{name!r} needs the package {entry.module!r}, which is not installed.",
                f"Install it with: pip install 're2llm[{entry.extra}]'",
            )


def create_baseline(name: str, train: Sequence[Session], *, seed: int = 0) -> Baseline:
    """Fit a baseline.

    Args:
        name: A name in `BASELINES`.
        train: Training sessions, histories with targets; never the sessions to be scored.

    Returns:
        The fitted baseline.

    Raises:
        InputError: The name is unknown, its extra is missing, or there is nothing to train on.
    """
    check_baselines([name])
    if not train:
        raise InputError(
            "train", "holds no sessions.", "Load training sessions for the domain first."
        )
    return BASELINES[name].factory(train, seed)
