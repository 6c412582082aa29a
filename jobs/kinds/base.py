"""What a kind of job is: how it is cut into pieces, and how it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...errors import Re2llmError
from ...runtime.context import Context
from ...runtime.options import RunOptions

Arguments = Mapping[str, Any]
"""A job's arguments, as JSON."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an attempt of a job is cut.

    Attributes:
        pieces: Training sessions, hints, or places in the job's own sessions; in order.
        shared: What all pieces have to agree on, as JSON.
    """

    pieces: Sequence[int]
    shared: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Work:
    """What one of a job's pieces knows of it.

    Attributes:
        context: The run's options; its budget is the job's.
        arguments: The job's.
        shared: What the plan shares with all pieces.
        counts: Counts of all pieces, for the last step.
    """

    context: Context
    arguments: Arguments
    shared: Arguments = field(default_factory=dict[str, Any])
    counts: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Finished:
    """How an attempt of a job has ended.

    Attributes:
        result: The result as JSON.
        stopped: Why it is not complete, or `None`.
        clear: Deletes what is not needed any more once the result is stored.
    """

    result: Mapping[str, Any]
    stopped: Re2llmError | None = None
    clear: Callable[[], Awaitable[None]] | None = None


class Kind(Protocol):
    """A kind of job.

    A piece stores what it finds where the operation in one process stores it, so that a piece that
    runs again finds what is paid. The operation itself then runs last: it finds all pieces done,
    and does what is left.
    """

    reflects: bool
    """Whether it also calls the reflecting model."""

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Check the arguments before the job is stored, and return them as JSON."""
        ...

    async def plan(self, work: Work) -> Plan:
        """Cut the work that is left into pieces."""
        ...

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Do one piece, and return counts."""
        ...

    async def finish(self, work: Work) -> Finished:
        """Do what is left, and return the result."""
        ...


class Undivided:
    """A kind of job without pieces: its last step does everything."""

    reflects = False

    async def plan(self, work: Work) -> Plan:
        """Leave all to the last step."""
        del work
        return Plan([])

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Do nothing."""
        del work, piece
        return {}
