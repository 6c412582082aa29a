"""`re2llm hints list`, `approve` and `retire`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import note, out, print_json, run
from ..options import DomainOption, JsonOption
from ..tables import print_table
from .options import HintsArgument

if TYPE_CHECKING:
    from ...operations.hints.results import ListedHint


def list_(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """List a domain's hints with their measured gain in NDCG@10.

    Example: re2llm hints list --domain films
    """
    run(lambda: _list(domain, as_json))


async def _list(domain: str | None, as_json: bool) -> None:
    from ...operations.hints.manage import list_hints
    from ...runtime.context import Context

    listed = await list_hints(Context(), domain=domain)
    if as_json:
        print_json([hint.model_dump() for hint in listed.hints])
        return
    if not listed.hints:
        out.print(
            f"{listed.domain} has no hints yet: `re2llm learn` finds some, "
            "and `re2llm hints add` adds yours."
        )
        return
    rows = [
        [
            f"{hint.id}",
            hint.status,
            _gain(hint),
            f"{hint.trials:,}" if hint.trials else f"{hint.trials_elsewhere:,}",
            hint.text,
        ]
        for hint in listed.hints
    ]
    numbers = ("hint", "gain", "sessions")
    print_table(("hint", "status", "gain", "sessions", "text"), rows, right=numbers)
    if any(hint.gain_elsewhere is not None for hint in listed.hints):
        note("* measured with another model, or with another RE2LLM_FUSE or prompt.")
    if any(hint.trials == 0 and hint.status != "retired" for hint in listed.hints):
        note(
            f"note: `re2llm hints verify --domain {shlex.quote(listed.domain)}` tries those that "
            f"were not tried on {listed.model} yet."
        )


def _gain(hint: ListedHint) -> str:
    if hint.trials:
        return f"{hint.mean_gain:+.3f}"
    return "not tried" if hint.gain_elsewhere is None else f"{hint.gain_elsewhere:+.3f}*"


def approve(hints: HintsArgument, domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Activate pending or retired hints.

    The model may be given them from then on.

    Example: re2llm hints approve 3 4 --domain films
    """
    run(lambda: _approve(hints, domain, as_json))


async def _approve(numbers: list[int], domain: str | None, as_json: bool) -> None:
    from ...operations.hints.manage import approve_hints
    from ...runtime.context import Context

    await approve_hints(Context(), numbers, domain=domain)
    _print_status(numbers, "active", as_json)


def retire(
    hints: HintsArgument,
    domain: DomainOption = None,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Stored with the hint.")
    ] = "A person retired it.",
    as_json: JsonOption = False,
) -> None:
    """Retire hints. The model is no longer given them; their trials are kept.

    Example: re2llm hints retire 3 --domain films --reason "too vague"
    """
    run(lambda: _retire(hints, domain, reason, as_json))


async def _retire(numbers: list[int], domain: str | None, reason: str, as_json: bool) -> None:
    from ...operations.hints.manage import retire_hints
    from ...runtime.context import Context

    await retire_hints(Context(), numbers, domain=domain, reason=reason)
    _print_status(numbers, "retired", as_json)


def _print_status(numbers: list[int], status: str, as_json: bool) -> None:
    if as_json:
        print_json([{"id": number, "status": status} for number in numbers])
    else:
        out.print(f"{status}: {', '.join(map(str, numbers))}")
