"""What the rating predictor is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ChatMessages = list[dict[str, str]]
"""A prompt as roles and contents."""

ReadRating = Callable[[str], float | None]
"""Returns the rating of a valid answer, else `None`."""


@dataclass(frozen=True, slots=True)
class RaterPrompt:
    """One rating to train on.

    Attributes:
        messages: The prompt.
        truth: The rating that the user gave.
    """

    messages: ChatMessages
    truth: float


@dataclass(frozen=True, slots=True)
class RaterTrace:
    """One answer to imitate.

    Attributes:
        messages: The prompt.
        answer: A valid answer with the true rating.
    """

    messages: ChatMessages
    answer: str
