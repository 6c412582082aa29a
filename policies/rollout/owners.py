"""Decides on a rollout so that no single owner of API keys can decide it alone.

Whoever holds a key may send requests under any number of names, see which release has served each,
and answer with any reward. So what is decided has to be decided as well without any one owner: a
release that the others' rewards do not prove better is not promoted, and one that they do not prove
worse is not taken back, with the same chance of error as without such an owner.
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
    """What a rollout has seen, by whose keys it came with.

    Attributes:
        trusted: From owners whose word is taken as it is.
        owners: From each of the others, by name.
    """

    trusted: Evidence
    owners: Mapping[str, Evidence]

    @property
    def whole(self) -> Evidence:
        """From all of them."""
        return reduce(add, self.owners.values(), self.trusted)

    def without_each(self) -> Iterator[tuple[str, Evidence]]:
        """Yield each owner's name, and what was seen from all but that one."""
        parts = list(self.owners.values())
        before = list(accumulate(parts, add, initial=self.trusted))
        after = list(accumulate(reversed(parts), add, initial=Evidence(())))[::-1]
        for place, name in enumerate(self.owners):
            yield name, before[place] + after[place + 1]


def decide_without_one(
    plan: Plan, seen: Owned, *, held: bool = False
) -> tuple[Verdict, str | None]:
    """Decide how a rollout goes on; what one owner would decide alone waits for the others.

    Args:
        plan: What was asked for.
        seen: By owner.
        held: As for `decide`.

    Returns:
        The verdict, and the owner whom it waits for, if that is so.
    """
    verdict = decide(plan, seen.whole, held=held)
    if verdict.action is Action.WAIT:
        return verdict, None
    for name, others in seen.without_each():
        without = decide(plan, others, held=held)
        if without.action is not verdict.action:
            words = (
                f"The requests of one owner of API keys alone say: {verdict.words} Without them: "
                f"{without.words} The server's log names the owner: give a key of theirs the right "
                "to learn if you trust them, else revoke their keys."
            )
            return replace(verdict, action=Action.WAIT, reason="one_owner", words=words), name
    return verdict, None
