"""`re2llm doctor`: whether everything that is needed works, and what to do if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..records import counted
from .console import note, out, print_json, progress_bars, run
from .option_names import in_options

if TYPE_CHECKING:
    from ..operations.doctor.diagnosis import Diagnosis

_MARKS = {"ok": "ok", "note": "note", "failed": "FAILED", "skipped": "-"}


def doctor(
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A chat model to check. Default: RE2LLM_MODEL."),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(metavar="DOMAIN", help="The domain's name. Default: RE2LLM_DOMAIN."),
    ] = None,
    calls: Annotated[
        bool, typer.Option("--calls/--no-calls", help="Call the model to see what it can do.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the setup, from the settings to the model.

    Each problem comes with what to do. The exit code is 1 if something that is needed fails.

    Example: re2llm doctor --no-calls
    """
    found = run(lambda: _examine(model, domain, calls=calls))
    if as_json:
        print_json(found.model_dump())
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(1)


async def _examine(model: str | None, domain: str | None, *, calls: bool) -> Diagnosis:
    from ..operations.doctor.doctor import announced, diagnose
    from ..runtime.context import Context

    context = Context(model=model, domain=domain)
    warning = announced(context) if calls else ""
    if warning:
        note(f"{warning} --no-calls leaves it out.")
    with progress_bars() as progress:
        return await diagnose(context, ask_model=calls, progress=progress)


def _print(found: Diagnosis) -> None:
    width = max((len(one.name) for one in found.settings), default=0)
    for one in found.settings:
        out.print_line(f"{one.name:<{width}}  {one.value}  ({one.source})")
    out.print()
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        out.print_line(
            f"{_MARKS[check.status]:<6}  {check.name:<{width}}  {in_options(check.found)}"
        )
        if check.remedy:
            out.print_line(f"{'':<6}  {'':<{width}}  -> {in_options(check.remedy)}")
    out.print()
    failed = sum(check.status == "failed" for check in found.checks)
    calls = found.llm_calls
    asked = f"Model calls made: {calls}." if calls else "No model was called."
    verdict = (
        "Everything that is needed works." if found.ok else f"{counted(failed, 'check')} failed."
    )
    out.print_line(f"{verdict} {asked}")
