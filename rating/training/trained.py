"""What a rater could be trained on, whatever becomes of the reviews: prints in its `rater.json`.

Who is held out depends on all users of a file, so one user more may move others from one side of
the split to the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...records import Review
from ..splits import RatingCase

_CHARACTERS = 12
_NAMES = ("users", "ratings")


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Fingerprints of what was trained on.

    Attributes:
        users: Fingerprints of the users whose ratings these are; only earlier versions read them.
        ratings: Fingerprints of user and item.
    """

    users: frozenset[str] = field(default_factory=frozenset[str])
    ratings: frozenset[str] = field(default_factory=frozenset[str])

    @classmethod
    def of(cls, cases: Iterable[RatingCase]) -> TrainedOn:
        """Return the fingerprints of training ratings."""
        keys = {case.key for case in cases}
        return cls(
            frozenset(_fingerprint(user) for user, _ in keys),
            frozenset(_fingerprint(*key) for key in keys),
        )

    def __or__(self, other: TrainedOn) -> TrainedOn:
        """Return what either was trained on."""
        return TrainedOn(self.users | other.users, self.ratings | other.ratings)

    def knows(self, review: Review) -> bool:
        """Whether a rating with these ids could be trained on, whatever its value was then.

        Titles do not count: those of the same data set may change, and a rating that was trained
        on would pass for a new one.
        """
        return _fingerprint(review.user, review.item.id) in self.ratings

    def described(self) -> dict[str, str]:
        """Return both as one text each, for `rater.json`."""
        return {name: " ".join(sorted(getattr(self, name))) for name in _NAMES}


def read_trained(description: Mapping[str, Any]) -> TrainedOn | None:
    """Return what a `rater.json` says, `None` for one that was written before it said so."""
    given = description.get("trained")
    if given is None:
        return None
    return TrainedOn(*(frozenset(given[name].split()) for name in _NAMES))


def _fingerprint(*ids: str) -> str:
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:_CHARACTERS]
