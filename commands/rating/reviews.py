"""What the rater's commands share: reading reviews, dividing them, writing prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ..console import err

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from ...llm.rating_prompt import PromptLimits
    from ...rating.reviews import ReviewHistory
    from ...rating.splits import RatingCase, ReviewSplit
    from ...records import RatingScale, RatingTask

SAMPLE = "sample"
"""The name that stands for the corpus in the package."""

ReviewsOption = Annotated[
    str, typer.Option(help="Reviews as JSONL, or `sample` for the corpus in the package.")
]
SplitOption = Annotated[
    str, typer.Option(help="last: leave each history's last review out; users: hold users out.")
]
SkipOption = Annotated[
    bool, typer.Option("--skip-malformed", help="Leave malformed rows out and go on.")
]


@dataclass(frozen=True, slots=True)
class Reviews:
    """Reviews that are divided, with prompts on demand.

    Attributes:
        split: What may be learnt from, and what is to be predicted.
        scale: The ratings that can be given.
        limits: How much the prompts show.
    """

    split: ReviewSplit
    scale: RatingScale
    limits: PromptLimits

    def tasks(self, cases: Sequence[RatingCase]) -> list[RatingTask]:
        """Return what the model may see of each case.

        Args:
            cases: Of the split.
        """
        from ...rating.splits import ReviewTable

        table = ReviewTable(self.split.known, self.scale)
        return [table.task(case) for case in cases]

    def prompts(self, cases: Sequence[RatingCase]) -> list[list[BaseMessage]]:
        """Return each case's prompt.

        Args:
            cases: Of the split.
        """
        from ...llm.rating_prompt import rating_messages

        return [rating_messages(task, self.limits) for task in self.tasks(cases)]


def read_reviews(name: str, *, skip_malformed: bool) -> list[ReviewHistory]:
    """Read a file, or simulate the package's own corpus.

    Args:
        name: A path, or `sample`.
        skip_malformed: Leave malformed rows out instead of refusing the file.

    Raises:
        InputError: The file cannot be used.
    """
    from ...data.malformed import ReadReport
    from ...rating.reviews import read_histories
    from ...rating.sample import simulate_reviews

    if name == SAMPLE:
        return simulate_reviews()
    report = ReadReport()
    histories = read_histories(Path(name), report)
    if not skip_malformed:
        report.raise_if_malformed()
    for note in report.first_malformed:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if not histories:
        raise InputError("--reviews", f"{name} holds no usable review.", "Is it the right file?")
    return histories


def divide(
    histories: Sequence[ReviewHistory], rule: str, seed: int, limits: PromptLimits
) -> Reviews:
    """Divide reviews.

    Args:
        histories: By user.
        rule: `last` or `users`.
        seed: Of the users that are held out.
        limits: How much the prompts show.

    Raises:
        InputError: The rule is unknown, or nothing is left on one side.
    """
    from ...rating.reviews import scale_of
    from ...rating.splits import split_reviews

    if rule not in {"last", "users"}:
        raise InputError("--split", f"There is no {rule!r}.", "Choose last or users.")
    split = split_reviews(histories, "users" if rule == "users" else "last", seed=seed)
    return Reviews(split, scale_of(histories), limits)


def prompt_limits(values: dict[str, Any]) -> PromptLimits:
    """Return prompt limits from a rater's file, or from the settings where it says nothing.

    Args:
        values: By name.
    """
    from ...llm.rating_prompt import PromptLimits
    from ...settings import get_settings

    settings = get_settings()
    return PromptLimits(
        **{
            "review_characters": settings.rating_review_characters,
            "title_characters": settings.rating_title_characters,
            **values,
        }
    )
