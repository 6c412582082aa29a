"""Decides on a rollout so that no single owner of API keys can decide it alone.

The holder of an API key can send requests under any number of names, see which release served each,
and report any reward. So a decision must also hold without any single owner's requests. A release
is promoted only if the others' rewards prove it better, and taken back only if they prove it worse.
The error rates stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from operator import add

from .decision import Action, Verdict, decide
from .evidence import Evidence
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Owned:
    """What a rollout has seen, by the owner of the key.

    Attributes:
        trusted: Evidence from trusted owners.
        owners: Evidence from each of the others, by name.
    """

    trusted: Evidence
    owners: Mapping[str, Evidence]

    @property
    def whole(self) -> Evidence:
        """The evidence from all of them."""
        return reduce(add, self.owners.values(), self.trusted)

    def without_each(self) -> Iterator[tuple[str, Evidence]]:
        """Yield each owner's name, and the evidence from all others."""
        parts = list(self.owners.values())
        before = list(accumulate(parts, add, initial=self.trusted))
        after = list(accumulate(reversed(parts), add, initial=Evidence(())))[::-1]
        for place, name in enumerate(self.owners):
            yield name, before[place] + after[place + 1]


def decide_without_one(
    plan: Plan, seen: Owned, *, held: bool = False
) -> tuple[Verdict, str | None]:
    """Decide how a rollout continues. Wait if the decision depends on one owner.

    Args:
        plan: What was asked for.
        seen: The evidence by owner.
        held: As for `decide`.

    Returns:
        The verdict, and the owner that it depends on, if there is one.
    """
    verdict = decide(plan, seen.whole, held=held)
    if verdict.action is Action.WAIT:
        return verdict, None
    for name, others in seen.without_each():
        without = decide(plan, others, held=held)
        if without.action is not verdict.action:
            words = (
                "This decision depends on one owner of API keys. With that owner's requests: "
                f"{verdict.words} Without them: {without.words} The server's log names the owner. "
                "If you trust them, give one of their keys the right to learn; otherwise revoke "
                "their keys."
            )
            return replace(verdict, action=Action.WAIT, reason="one_owner", words=words), name
    return verdict, None
