"""`re2llm recommend --requests`: for every row of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..records import counted
from .console import fail, note, out, print_json, progress_bars, run
from .stopped import say_stopped

if TYPE_CHECKING:
    from ..operations.recommending.batch import Batch

_NOTED = 20
"""Bad rows that are named on standard error; each has its own answer."""


def recommend_rows(
    requests: Path | None,
    answers: Path | None,
    *,
    others: Sequence[str],
    domain: str | None,
    user: str | None,
    policy: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Recommend for every row, and tell what was done.

    Args:
        others: Items and candidates, which a batch has in its file.
        options: As for the operation.
    """
    if requests is None or answers is None or others:
        problem = "A batch has a file of rows and one of answers, and nothing else."
        fail(InputError("--requests", problem, "Give --requests FILE and --out FILE."))
    if user is not None:
        problem = "It is one person, and a batch is about many."
        fail(InputError("--user", problem, "Leave it out."))
    noted = 0

    def on_bad(line: str) -> None:
        nonlocal noted
        noted += 1
        if noted <= _NOTED:
            note(line)

    async def work() -> Batch:
        from ..operations.recommending.batch import recommend_batch
        from ..ranking.choosers import hint_choice
        from ..runtime.context import Context

        chosen = None if policy is None else hint_choice(policy)
        with progress_bars() as progress:
            return await recommend_batch(
                Context(domain=domain, policy=chosen),
                requests,
                answers,
                on_bad=on_bad,
                progress=progress,
                **options,
            )

    done = run(work)
    if noted > _NOTED:
        note(f"… and {counted(noted - _NOTED, 'more row')} cannot be used; the answers say why.")
    if as_json:
        print_json(done.as_dict())
    else:
        _print(answers, done)
    say_stopped(done.stopped, "")


def _print(answers: Path, done: Batch) -> None:
    earlier = f", {done.before:,} of them before" if done.before else ""
    cost = f", cost {done.cost:.4f}" if done.cost else ""
    out.print_line(
        f"{answers}: {counted(done.rows, 'row')}{earlier}; {done.bad:,} cannot be used, "
        f"{done.failed:,} without the model. {counted(done.llm_calls, 'model call')}{cost}."
    )
