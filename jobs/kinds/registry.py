"""The kinds of jobs, by name."""

from __future__ import annotations

from typing import Literal, get_args

from ...errors import InputError
from ...knowledge.jobs.jobs import FilelessKind
from .base import Arguments, Kind

JobKind = Literal[FilelessKind, "evaluate", "try", "autopilot", "import"]


def models_of(name: str, model: str, reflect_model: str) -> list[str]:
    """Return the models that a job of this kind pays for."""
    return [model, reflect_model] if job_kind(name).reflects else [model]


def makes_release(name: str) -> bool:
    """Return whether a job of this kind makes a release, and may activate it."""
    return name == "train"


def check_activates(name: str, arguments: Arguments) -> None:
    """Refuse to leave a release inactive in a job of a kind that makes none.

    Raises:
        InputError: It is asked for.
    """
    if not makes_release(name) and not arguments.get("activate", True):
        raise InputError("activate", f"A job {name!r} activates no release.", "Leave it out.")


def job_kind(name: str) -> Kind:
    """Return a kind of job by its name.

    Raises:
        InputError: There is none.
    """
    # The operations behind them load torch.
    from ..autopilot.job import AutopilotCycle  # noqa: PLC0415
    from .evaluate import Evaluate  # noqa: PLC0415
    from .import_file import Import  # noqa: PLC0415
    from .learn import Learn  # noqa: PLC0415
    from .tidy import Tidy  # noqa: PLC0415
    from .train import Train  # noqa: PLC0415
    from .try_hint import TryHint  # noqa: PLC0415
    from .verify import Verify  # noqa: PLC0415

    kinds: dict[str, type[Kind]] = {
        "learn": Learn,
        "train": Train,
        "evaluate": Evaluate,
        "verify": Verify,
        "tidy": Tidy,
        "autopilot": AutopilotCycle,
        "try": TryHint,
        "import": Import,
    }
    if name not in kinds:
        known = ", ".join(get_args(JobKind))
        raise InputError("kind", f"There is no job {name!r}.", f"Choose among {known}.")
    return kinds[name]()
