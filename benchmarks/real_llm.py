"""What a chat model adds to the first stage, what a hint adds to the model, and what both cost.

RE2LLM_MODEL=openai:NAME RE2LLM_BASE_URL=http://… RE2LLM_API_KEY=… \
    python -m benchmarks.real_llm --domain movies --sessions test.jsonl --resume answers.jsonl
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from re2llm.commands.console import note, progress_bars, run
from re2llm.commands.files import write_json
from re2llm.errors import InputError
from re2llm.evaluation.defaults import NEGATIVES
from re2llm.knowledge.catalogue import item_ids
from re2llm.operations.database import in_domain
from re2llm.operations.evaluation.held_out import read_test_sessions, with_candidates
from re2llm.records import Flag, Session, counted
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import RunOptions, resolve_context
from re2llm.runtime.outages import OutageGuard, side_by_side
from re2llm.runtime.progress import Progress

from .model_arms import LETTERS, Answered, Answers, Arm, arms, ask_session
from .model_tables import document, show


def main(  # noqa: PLR0913, PLR0917  # an argument for every option
    domain: Annotated[str, typer.Option(help="A loaded catalogue.")],
    sessions: Annotated[Path, typer.Option(help="Sessions that were not loaded, as JSONL.")],
    sessions_limit: Annotated[int | None, typer.Option(min=2, help="Take the first N.")] = None,
    hints: Annotated[
        int, typer.Option(min=0, help="Try this many active hints, the best measured first.")
    ] = 0,
    hint: Annotated[list[str] | None, typer.Option(help="Try this text; may be repeated.")] = None,
    permutations: Annotated[
        int, typer.Option(min=1, help="Ask in this many orders of the candidates.")
    ] = 1,
    permuted_sessions: Annotated[int, typer.Option(min=2, help="On this many sessions.")] = 50,
    at_once: Annotated[
        int, typer.Option(min=1, help="Sessions at a time; several make each answer slower.")
    ] = 1,
    letters: Annotated[
        bool | None, typer.Option(help="Ask for one letter, too; default: where `doctor` found it.")
    ] = None,
    max_llm_calls: Annotated[int | None, typer.Option(min=1, help="Stop after N calls.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Keep finished sessions here, and go on from there.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file; - prints them.")
    ] = None,
) -> None:
    """Measure the model that the settings name on sessions whose next item is known.

    Nothing of the sessions is stored in the catalogue. A run that was stopped goes on with
    --resume and pays for no answer twice.

    Example: python -m benchmarks.real_llm --domain films --sessions test.jsonl --hints 2
    """
    budget = Budget(max_llm_calls=max_llm_calls)
    context = Context(
        domain=domain, fuse="learned", orders=1, record=False, budget=budget, command="benchmark"
    )

    async def work() -> None:
        options = await resolve_context(context)
        listed = await _sessions(options, sessions, sessions_limit)
        ways = await arms(
            options,
            best=hints,
            hints=hint or (),
            orders=permutations,
            permuted=min(permuted_sessions, len(listed)),
            letters=await _letters(options, letters),
        )
        answers = Answers(resume)
        outages = OutageGuard(options, at_once, reflects=False)
        answered: dict[int, dict[str, Answered]] = {}

        async def measure(place: int, *, progress: Progress, started: float) -> None:
            asked = [way for way in ways if way.sessions is None or place < way.sessions]
            answered[place], new = await ask_session(listed[place], asked, answers.known, outages)
            answers.finish(place, new)
            done = len(answered)
            ends = time.time() + (time.time() - started) / done * (len(listed) - done)
            clock = time.strftime("%a %H:%M", time.localtime(ends))
            progress("sessions", done, len(listed), note=f"expected end {clock}")

        with progress_bars() as progress:
            progress("sessions", 0, len(listed))
            one = partial(measure, progress=progress, started=time.time())
            stopped = await side_by_side(range(len(listed)), one, at_once=at_once)
        if stopped is not None:
            left = len(listed) - len(answered)
            raise stopped.adding(
                f"{counted(left, 'session is', 'sessions are')} left; run again to go on."
            )
        ways = [way for way in ways if _answered_so(way, answered)]
        results = {
            way.name: [answered[place][way.name] for place in range(way.sessions or len(listed))]
            for way in ways
        }
        with progress_bars() as progress:
            found = document(ways, results, seed=options.seed, progress=progress)
        given: dict[str, Any] = {way.name: way.hint for way in ways if way.hint}
        found |= {
            "domain": domain,
            "model": options.model,
            "prompt_version": options.prompt_version,
            "seed": options.seed,
            "hints": given,
        }
        if json_file is None or str(json_file) != "-":
            show(found, f"{options.model} on {domain}: {counted(len(listed), 'session')}")
        if json_file is not None:
            await write_json("--json", json_file, found)

    run(work)


async def _letters(options: RunOptions, wanted: bool | None) -> bool:
    if wanted is not None:
        return wanted
    await options.services.models.recall_logprobs(options.model)
    return bool(options.services.models.gives_logprobs(options.model))


def _answered_so(way: Arm, answered: Mapping[int, Mapping[str, Answered]]) -> bool:
    """Whether a way to ask was kept to: without log-probabilities, letters become lists."""
    if way.name != LETTERS:
        return True
    lists = sum(Flag.NO_LOGPROBS in one[LETTERS].answer.flags for one in answered.values())
    if lists:
        note("note: the model's server gives no log-probabilities: no row for letters")
    return not lists


async def _sessions(options: RunOptions, file: Path, limit: int | None) -> list[Session]:
    async with in_domain(options) as (connection, domain):
        known = await item_ids(connection, domain)
    read, notes = read_test_sessions(file, known, skip_malformed=False)
    for remark in notes:
        note(f"note: {remark}")
    listed = list(with_candidates(read[:limit], known, NEGATIVES, options.seed))
    if len(listed) <= 1:
        raise InputError("sessions", "There is only one.", "Give two or more.")
    return listed


if __name__ == "__main__":
    typer.run(main)
