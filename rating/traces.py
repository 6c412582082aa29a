"""Writes cold-start traces to a file, and takes up where it stopped."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_openai_messages

from ..commands.console import progress
from ..commands.rating.reviews import Reviews
from ..errors import InputError, Re2llmError
from ..llm.rating_prompt import RATING_PROMPT_VERSION
from ..runtime.options import RunOptions
from ..runtime.outages import OutageGuard
from .splits import RatingCase
from .trace import trace_rating


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


def cases_to_trace(reviews: Reviews, count: int, seed: int) -> list[RatingCase]:
    """Draw the training ratings to trace; a smaller draw is the start of a larger one.

    Args:
        reviews: Where they come from.
        count: How many to draw.
        seed: Of the draw.
    """
    cases = list(reviews.split.train)
    random.Random(seed).shuffle(cases)
    return cases[:count]


@dataclass(frozen=True, slots=True)
class Traced:
    """What became of the cases that were to be traced.

    Attributes:
        rows: Their traces, rejected ones too, in the order of the cases.
        left: Cases without a trace.
        stopped: Why it stopped before the end, or left some out; `None` if there are none left.
    """

    rows: list[dict[str, Any]]
    left: int
    stopped: Re2llmError | None

    def whole(self) -> list[dict[str, Any]]:
        """Return the traces.

        Raises:
            Re2llmError: Some are missing.
        """
        if self.stopped is not None:
            raise self.stopped
        return self.rows


async def write_traces(
    reviews: Reviews, cases: Sequence[RatingCase], path: Path, options: RunOptions
) -> Traced:
    """Trace the cases that the file does not hold yet, by the same teacher and prompts.

    Args:
        reviews: Where the cases come from.
        cases: To trace.
        path: JSONL; each trace is written as soon as it is made.
        options: The run's options; its model is the teacher.
    """
    known = {
        (row["user"], row["item"]): row
        for row in read_traces(path)
        if (row.get("model"), row.get("prompt_version")) == (options.model, RATING_PROMPT_VERSION)
    }
    _drop_torn_line(path)
    open_cases = [case for case in cases if _key(case) not in known]
    pairs = list(zip(open_cases, reviews.prompts(open_cases), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with progress(counts=True) as bar, path.open("a", encoding="utf-8") as file:
        task = bar.add_task("tracing", total=len(pairs))

        async def trace(pair: tuple[RatingCase, list[BaseMessage]]) -> None:
            case, messages = pair
            traced = await trace_rating(messages, case.review.rating, reviews.scale, options)
            row = {
                "user": case.review.user,
                "item": case.review.item.id,
                "model": options.model,
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

        outages = OutageGuard(options, options.settings.concurrency, reflects=False)
        stopped = await outages.work_through(pairs, trace) or outages.last
    rows = [known[_key(case)] for case in cases if _key(case) in known]
    return Traced(rows, len(cases) - len(rows), stopped)


def _drop_torn_line(path: Path) -> None:
    if path.exists() and not (text := path.read_text(encoding="utf-8")).endswith("\n") and text:
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")


def _key(case: RatingCase) -> tuple[str, str]:
    return case.review.user, case.review.item.id
