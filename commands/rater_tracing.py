"""Writes cold-start traces to a file, and takes up where it stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .console import progress

if TYPE_CHECKING:
    from ..nodes.context import Call
    from ..sessions.review_splits import RatingCase
    from .rater_reviews import Reviews


def read_traces(path: Path) -> list[dict[str, Any]]:
    """Return the traces of a file; a last line that was cut short is dropped.

    Args:
        path: JSONL; need not exist yet.

    Raises:
        InputError: It holds something else.
    """
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
            rows.append({name: row[name] for name in ("user", "item", "answer", "outcome")} | row)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}:{number}", "is no trace.", "Name a file that `rater traces` wrote."
            ) from error
    return rows


async def write_traces(
    reviews: Reviews, cases: Sequence[RatingCase], path: Path, call: Call
) -> list[dict[str, Any]]:
    """Trace the cases that the file does not hold yet, by the same teacher and prompts.

    Args:
        reviews: Where the cases come from.
        cases: To trace.
        path: JSONL; each trace is written as soon as it is made.
        call: The run's options; its model is the teacher.

    Returns:
        All traces of the cases, rejected ones too.

    Raises:
        ModelDownError: The teacher gave no answer; what was paid is kept.
        BudgetSpentError: No further call may be paid; likewise.
    """
    from langchain_core.messages import convert_to_openai_messages

    from ..llm.rating_prompt import RATING_PROMPT_VERSION
    from ..nodes.trace_rating import trace_rating

    known = {
        (row["user"], row["item"]): row
        for row in read_traces(path)
        if (row.get("model"), row.get("prompt_version")) == (call.model, RATING_PROMPT_VERSION)
    }
    _drop_torn_line(path)
    open_cases = [case for case in cases if _key(case) not in known]
    prompts = reviews.prompts(open_cases)
    gate = asyncio.Semaphore(call.settings.concurrency)
    path.parent.mkdir(parents=True, exist_ok=True)
    with progress(counts=True) as bar, path.open("a", encoding="utf-8") as file:
        task = bar.add_task("tracing", total=len(open_cases))

        async def trace(case: RatingCase, messages: Sequence[Any]) -> None:
            async with gate:
                traced = await trace_rating(messages, case.review.rating, reviews.scale, call)
            row = {
                "user": case.review.user,
                "item": case.review.item.id,
                "model": call.model,
                "prompt_version": RATING_PROMPT_VERSION,
                "outcome": traced.outcome,
                "truth": case.review.rating,
                "prompt": convert_to_openai_messages(messages),
                "answer": traced.answer,
            }
            known[_key(case)] = row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            bar.advance(task)

        async with asyncio.TaskGroup() as group:
            for case, messages in zip(open_cases, prompts, strict=True):
                group.create_task(trace(case, messages))
    return [known[_key(case)] for case in cases]


def _drop_torn_line(path: Path) -> None:
    if path.exists() and not (text := path.read_text(encoding="utf-8")).endswith("\n") and text:
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")


def _key(case: RatingCase) -> tuple[str, str]:
    return case.review.user, case.review.item.id
