"""Says what was forgotten with a former first stage, and what to run for it."""

from __future__ import annotations

import shlex
from collections.abc import Container, Sequence
from typing import Protocol

from ..records import counted
from .console import out


class Outcome(Protocol):
    """Of an operation that may have fitted the first stage again."""

    @property
    def domain(self) -> str:
        """Name of the domain."""
        ...

    @property
    def trials_forgotten(self) -> int:
        """Paid rankings of what the former first stage had chosen."""
        ...

    @property
    def weights_forgotten(self) -> Sequence[str]:
        """How hints were chosen, of each weight."""
        ...


def print_forgotten(
    outcome: Outcome, *, fitted: bool = True, measured: Container[str] = ()
) -> None:
    """Print what was forgotten, if anything was.

    Args:
        fitted: Say, too, that the first stage was fitted again, by how many sessions there are.
        measured: Weights that were measured again since.
    """
    weights = [one for one in outcome.weights_forgotten if one not in measured]
    if fitted and (outcome.trials_forgotten or outcome.weights_forgotten):
        out.print("The number of sessions has changed much, so the first stage was fitted again.")
    if outcome.trials_forgotten:
        paid = counted(outcome.trials_forgotten, "trial")
        out.print_line(
            f"Forgotten with it: {paid} of what it had chosen, to be paid again when needed."
        )
    if weights:
        named = [
            f"`re2llm {name} --domain {shlex.quote(outcome.domain)}`"
            for name, wanted in (
                ("measure", "none" in weights),
                ("train", any(one != "none" for one in weights)),
            )
            if wanted
        ]
        out.print_line(
            "The measured weight of the model is forgotten. Until it is measured again, the model "
            f"is asked, whatever it adds: run {' and '.join(named)}."
        )
