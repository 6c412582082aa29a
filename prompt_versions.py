"""What trials and releases are marked with: all that changes what the model is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_BEST = "/best-"
_EXPECTED = "+expected"
FIRST_STAGE_MARKS = (_BEST, _EXPECTED)
"""The version of whatever a first stage has had a part in holds one of these."""

# Numbers only as they are written here, so that every version is parsed into what writes it again.
_FORM = re.compile(
    rf"(?P<recipe>.*?)(?P<expected>{re.escape(_EXPECTED)})?"
    rf"(?:{re.escape(_BEST)}(?P<reranked>0|[1-9][0-9]{{0,8}})(?P<shuffled>-shuffled)?)?"
    r"(?:x(?P<orders>[2-9]|[1-9][0-9]{1,8}))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """The version of a ranking prompt; `str` of it is what is stored.

    Attributes:
        recipe: The wording's own version.
        reranked: How many of a first stage's best candidates the model is asked about at most;
            `None` where it alone orders all.
        shuffled: Whether it sees these in a random order.
        orders: In how many orders of the candidates it is asked, at least 1.
        expected: Whether it sees what a first stage expects, where it alone orders all.
    """

    recipe: str
    reranked: int | None = None
    shuffled: bool = False
    orders: int = 1
    expected: bool = False

    def __str__(self) -> str:
        expected = _EXPECTED if self.expected else ""
        best = "" if self.reranked is None else f"{_BEST}{self.reranked}"
        shuffled = "-shuffled" if self.shuffled else ""
        orders = "" if self.orders == 1 else f"x{self.orders}"
        return f"{self.recipe}{expected}{best}{shuffled}{orders}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the version that is written so; an unknown form is a recipe of its own."""
        found = _FORM.fullmatch(text)
        parts = {} if found is None else found.groupdict()
        best = parts.get("reranked")
        return cls(
            recipe=parts.get("recipe", text),
            reranked=None if best is None else int(best),
            shuffled=parts.get("shuffled") is not None,
            orders=int(parts.get("orders") or 1),
            expected=parts.get("expected") is not None,
        )

    def order_in_words(self) -> tuple[str, str]:
        """Return what the model is asked to order, and the setting `fuse` that does so."""
        if self.reranked is None:
            return "the model alone orders all candidates", "llm"
        return f"the model re-orders the first stage's best {self.reranked}", "learned"
