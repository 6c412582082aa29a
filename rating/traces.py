"""Cold-start traces: a teacher's answers with the true rating, worth imitating.

Source: RecOne, arXiv 2510.23077, section 3.3: an answer with the right rating is kept; a teacher
with a wrong one is shown the truth and writes again, which is kept if it is right then.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import BaseMessage, convert_to_openai_messages

from ..errors import Re2llmError
from ..llm.ratings.answers import strict_rating
from ..llm.ratings.limits import same_shown
from ..llm.ratings.prompt import rating_prompt_version, rewrite_messages, shortened_messages
from ..records import RatingScale
from ..runtime.options import RunOptions
from ..runtime.outages import OutageGuard
from ..runtime.progress import Progress, silent
from .corpus import RatingCorpus
from .model_ratings import ask_strictly
from .splits import RatingCase
from .trace_file import end_with_a_whole_line, read_traces, read_with_cut

__all__ = [
    "TraceOutcome",
    "Traced",
    "TracedAnswer",
    "cases_to_trace",
    "fitting_traces",
    "read_traces",
    "trace_rating",
    "write_traces",
]

TraceOutcome = Literal["aligned", "rewritten", "rejected"]
"""The teacher was right at once, right after being shown the truth, or not even then."""


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """A teacher's last answer; a `rejected` one is not imitated.

    `llm_calls` counts retries too, and is 0 if all answers were paid for before.
    """

    answer: str
    outcome: TraceOutcome
    llm_calls: int


@dataclass(frozen=True, slots=True)
class Traced:
    """The result of tracing some cases.

    Attributes:
        rows: Their traces, rejected ones too, in the order of the cases.
        left: Number of cases without a trace.
        stopped: Why cases are left; `None` if none are.
    """

    rows: list[dict[str, Any]]
    left: int
    stopped: Re2llmError | None

    def complete(self) -> list[dict[str, Any]]:
        """Return the traces; raises `stopped` if some are missing."""
        if self.stopped is not None:
            raise self.stopped
        return self.rows


async def trace_rating(
    messages: Sequence[BaseMessage], truth: float, scale: RatingScale, options: RunOptions
) -> TracedAnswer:
    """Have the run's model reason towards a known rating, which the prompt does not contain.

    Raises:
        ModelDownError: The teacher gave no answer. If it declines the prompt, or cannot read even a
            shorter one, the answer is `rejected` instead.
        BudgetSpentError: The budget allows no further call.
    """
    first = await ask_strictly(
        messages, options, "trace", scale, shorter=lambda: shortened_messages(messages)
    )
    if same_shown(strict_rating(first.text, scale), truth):
        return TracedAnswer(first.text, "aligned", first.calls)
    again = rewrite_messages(messages, first.text, truth)
    second = await ask_strictly(
        again,
        options,
        "trace",
        scale,
        shorter=lambda: rewrite_messages(shortened_messages(messages), first.text, truth),
    )
    right = same_shown(strict_rating(second.text, scale), truth)
    outcome = "rewritten" if right else "rejected"
    return TracedAnswer(second.text, outcome, first.calls + second.calls)


def fitting_traces(
    rows: Sequence[dict[str, Any]], corpus: RatingCorpus, cases: Sequence[RatingCase]
) -> list[dict[str, Any]]:
    """Return the traces of these cases with the very prompt and rating that a corpus gives them.

    Others were made with another split, other limits or other reviews: their prompts may hold
    ratings that are held out now.
    """
    traced = {(row["user"], row["item"]) for row in rows}
    own = [case for case in cases if case.key in traced]
    now = {
        case.key: (convert_to_openai_messages(messages), case.review.rating)
        for case, messages in zip(own, corpus.prompts(own), strict=True)
    }
    return [
        row
        for row in rows
        if now.get((row["user"], row["item"])) == (row.get("prompt"), row.get("truth"))
    ]


def cases_to_trace(corpus: RatingCorpus, count: int, seed: int) -> list[RatingCase]:
    """Draw training ratings at random; a smaller draw is the start of a larger one."""
    cases = list(corpus.split.train)
    random.Random(seed).shuffle(cases)
    return cases[:count]


async def write_traces(
    corpus: RatingCorpus,
    cases: Sequence[RatingCase],
    path: Path,
    options: RunOptions,
    progress: Progress = silent,
) -> Traced:
    """Trace the cases of which the file holds no trace of the same prompt by the run's model.

    Each trace is appended to the JSONL file as soon as it is made.
    """
    version = rating_prompt_version(corpus.limits)
    rows, cut = read_with_cut(path)
    own = [row for row in rows if row.get("model") == options.model]
    known = {(row["user"], row["item"]): row for row in fitting_traces(own, corpus, cases)}
    end_with_a_whole_line(path, cut)
    missing = [case for case in cases if case.key not in known]
    pairs = list(zip(missing, corpus.prompts(missing), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    progress("tracing", done, len(pairs))
    with path.open("a", encoding="utf-8") as file:

        async def trace(pair: tuple[RatingCase, list[BaseMessage]]) -> None:
            nonlocal done
            case, messages = pair
            traced = await trace_rating(messages, case.review.rating, corpus.scale, options)
            row = {
                "user": case.review.user,
                "item": case.review.item.id,
                "model": options.model,
                "prompt_version": version,
                "outcome": traced.outcome,
                "truth": case.review.rating,
                "prompt": convert_to_openai_messages(messages),
                "answer": traced.answer,
            }
            known[case.key] = row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            done += 1
            progress("tracing", done, len(pairs))

        outages = OutageGuard(options, options.settings.concurrency, reflects=False)
        stopped = await outages.work_through(pairs, trace) or outages.last
    rows = [known[case.key] for case in cases if case.key in known]
    return Traced(rows, len(cases) - len(rows), stopped)
