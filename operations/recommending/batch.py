"""Recommends for every row of a file, in a stream that can be resumed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ...data.request_rows import RequestRow, read_requests
from ...errors import BudgetSpentError, InputError
from ...ranking.choosers import hint_choice
from ...records import counted
from ...runtime.context import Context
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..database import find_run_domain
from .answer_file import AnswerFile, requests_digest
from .batch_rows import fault_of, is_of_row, person_of, request_of
from .recommend import recommend

_AHEAD = 4
"""Rows to read ahead for each row that is answered at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a batch has done.

    Attributes:
        rows: Rows that are answered now.
        before: How many of those were answered by earlier runs.
        bad: Rows of this run that cannot be used; their answer says why.
        failed: Rows of this run that the model left unanswered: the first stage has ranked them.
        llm_calls: Model calls, retries included.
        cost: The cost by `RE2LLM_PRICES`.
        stopped: Why it stopped before the end, or `None`.
    """

    rows: int
    before: int
    bad: int
    failed: int
    llm_calls: int
    cost: float
    stopped: BudgetSpentError | None

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON primitives; `stopped` is an error's document, or `None`."""
        counts = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**counts, "stopped": None if self.stopped is None else self.stopped.as_dict()}


async def recommend_batch(
    context: Context,
    requests: Path,
    answers: Path,
    *,
    k: int = 10,
    concurrency: int | None = None,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    on_bad: Callable[[str], None] = lambda _: None,
    progress: Progress = silent,
) -> Batch:
    """Recommend for every row of a file, in order; an interrupted run continues where it ended.

    Memory does not grow with the file.

    Args:
        context: The run's options; its budget's limits are not used.
        requests: JSONL or Parquet with `history`, and perhaps `candidates` and `key`.
        answers: JSONL, or Parquet by its name. Every row has an answer in it, or an error.
        concurrency: Rows at the same time; `None` takes the setting.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        on_bad: Called with a line about each row that cannot be used.
        progress: Called after each answer with the stage `recommending`.

    Raises:
        InputError: A file or an option cannot be used, or no longer can: the domain was deleted or
            made anew. Answers that were written are kept.
        DatabaseError: The database failed; likewise.
    """
    if context.policy is not None:
        hint_choice(context.policy)
    context, options, budget = await budgeted(
        context, "recommend", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    domain = await find_run_domain(options)  # an unknown one is no fault of each row

    async def require_domain() -> None:
        if (await find_run_domain(options)).id != domain.id:
            problem = f"{domain.name!r} was deleted and made anew while rows were answered."
            raise InputError("domain", problem, "Run the same again: it goes on with the new one.")

    rows = read_requests(requests)
    file = AnswerFile(answers)
    await asyncio.to_thread(file.open)
    request = partial(request_of, options=options, k=k)
    run = _Run(context, file, k, request, require_domain, on_bad, progress)
    before, complete = file.count, False
    stopped: BudgetSpentError | None = None
    try:
        await asyncio.to_thread(_skip_answered, rows, file, request)
        await run.answer_all(rows, concurrency or options.settings.concurrency)
        complete = True
    except BudgetSpentError as error:
        stopped = error
    finally:
        await asyncio.to_thread(lambda: file.close(complete=complete))
    return Batch(
        rows=file.count,
        before=before,
        bad=run.bad,
        failed=run.failed,
        **spent(budget),
        stopped=stopped,
    )


def _skip_answered(
    rows: Iterator[RequestRow], file: AnswerFile, request: Callable[[RequestRow], str]
) -> None:
    if requests_digest(map(request, islice(rows, file.count))) != file.asked:
        raise InputError(
            "answers",
            f"{file.path} answers other rows, or other options.",
            "Name another file, or give what it was begun with.",
        )


class _Run:
    """One run over the rows that have no answer yet."""

    def __init__(
        self,
        context: Context,
        file: AnswerFile,
        k: int,
        request: Callable[[RequestRow], str],
        require_domain: Callable[[], Awaitable[None]],
        on_bad: Callable[[str], None],
        progress: Progress,
    ) -> None:
        self.bad = 0
        self.failed = 0
        self._context = context
        self._file = file
        self._k = k
        self.request = request
        self._require_domain = require_domain
        self._on_bad = on_bad
        self._progress = progress

    async def answer_all(self, rows: Iterator[RequestRow], at_once: int) -> None:
        """Answer some rows at a time, and write the answers in the order of the rows."""
        slots = asyncio.Semaphore(at_once)
        waiting: deque[asyncio.Task[dict[str, Any]]] = deque()

        async def answer(row: RequestRow) -> dict[str, Any]:
            async with slots:
                return await self._answer(row)

        try:
            while True:
                row = await asyncio.to_thread(next, rows, None)
                if row is not None:
                    waiting.append(asyncio.create_task(answer(row)))
                while waiting and (row is None or len(waiting) >= at_once * _AHEAD):
                    self._write(await waiting[0])
                    waiting.popleft()
                if row is None:
                    return
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _write(self, answer: dict[str, Any]) -> None:
        error = answer.get("error")
        if error is not None:
            self.bad += 1
            self._on_bad(f"row {answer['row']}: {error['field']}: {error['problem']}")
        self.failed += "model_failed" in answer.get("flags", ())
        self._file.add(answer)
        self._progress("recommending", self._file.count, None, f"{counted(self.bad, 'bad row')}")

    async def _answer(self, row: RequestRow) -> dict[str, Any]:
        place = {"row": row.number, "key": row.key, "request": self.request(row)}
        if row.problem:
            return {**place, "error": fault_of(row).as_dict()}
        try:
            made = await recommend(
                self._context,
                row.history,
                candidates=row.candidates,
                k=self._k,
                user=person_of(row),
            )
        except InputError as error:
            if not is_of_row(error):
                raise
            await self._require_domain()  # without it, no item of any row is known
            return {**place, "error": error.as_dict()}
        return {
            **place,
            "items": [{"id": item.id, "title": item.title} for item in made.items],
            "recommendation_id": made.recommendation_id,
            "hint": made.hint.id,
            "hints": [hint.id for hint in made.hints],
            "flags": made.flags,
        }
