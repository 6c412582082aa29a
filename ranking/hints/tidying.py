"""Decides which hints of a domain to keep, use or retire, by their trials; without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...knowledge.hint_store.decisions import KeptHint, StatusChange
from ...knowledge.hint_store.stats import ENOUGH
from ...knowledge.schema.tables import SHRINKAGE
from ...records import counted
from .likeness import compare_pair, is_dominated, pairs
from .proof import (
    EARLY,
    FIRST_LOOK,
    Gains,
    Tally,
    is_hopeless,
    predictive_power,
    proof_level,
    tally,
)
from .tidy_store import Standing, Store, Verdict
from .verification import verification

_FEW_TO_PROVE = 96
"""Sessions below which a missing proof is no reason to retire a hint."""
_LATELY = 3.1
"""Standard errors by which the newest sessions alone must show a loss."""


class Judge:
    """Decides on the hints of a store, one kind of reason after the other.

    Args:
        store: What is known.
        final: Whether no more trials are to come, so that hints without room have to go.

    Attributes:
        changes: What is to change, in the order in which it was decided.
        standing: Of the hints that stay, whether they are proven.
    """

    def __init__(self, store: Store, *, final: bool = True) -> None:
        self.changes: list[StatusChange] = []
        self.standing: dict[int, Standing] = {}
        self._store = store
        self._left = list(range(len(store.hints)))
        self._tried: list[Gains] = [row[~np.isnan(row)] for row in store.gains]
        self._tallies: list[Tally] = [tally(gains) for gains in self._tried]
        self._level = proof_level([found.p for found in self._tallies], store.tested)
        self._weigh()
        self._merge()
        self._drop_dominated()
        self._drop_unused()
        if final:
            self._drop_surplus()
        self._activate()  # what stays, so that no hint changes twice

    def wanted(self, look: int) -> list[KeptHint]:
        """Return the hints that need trials up to a look, the most promising first.

        Args:
            look: How many of the sessions are to be tried.
        """
        lately = look <= self._store.newest  # also the proven ones are tried on these
        rows = [row for row in self._left if lately or self.standing[self._id(row)] == "undecided"]
        rows.sort(key=lambda row: -self._promise(row))
        return [self._hint(row) for row in rows]

    def _merge(self) -> None:
        """Retire what says the same as another hint; the better measured one of two stays."""
        # Of every pair numbers are kept, so only those are compared that can be the same.
        tried = [row for row in self._left if self._tallies[row].n >= FIRST_LOOK]
        tried.sort(key=self._seniority)
        known = pairs(self._store.gains[tried], [self._hint(row).embedding for row in tried])
        same = known.same
        first: list[int] = []
        for place, row in enumerate(tried):
            likest_place = max(
                (other for other in first if same[place, other]),
                key=lambda other, place=place: known.likeness[place, other],
                default=None,
            )
            if likest_place is None:
                first.append(place)
                continue
            pair = place, likest_place
            words, gains = float(known.cosine[pair]), float(known.likeness[pair])
            telling, likest = int(known.telling[pair]), tried[likest_place]
            reason = (
                f"It says the same as hint {self._id(likest)}: likeness of the texts {words:.2f}, "
                f"of the gains on {counted(telling, 'session')} {gains:.2f}."
            )
            figures = {
                "cosine": round(words, 3),
                "likeness": round(gains, 3),
                "telling": telling,
            }
            self._retire(row, "same", reason, figures, likest)

    def _weigh(self) -> None:
        """Retire what harms, or can hardly be proven; tell what helps from what is undecided."""
        for row in list(self._left):
            total, planned = self._tallies[row], self._store.planned[row]
            lately = self._lately(row)
            if total.n >= ENOUGH and verification(self._tried[row].tolist()).high < 0:
                self._retire(row, "harms", f"It harms. {self._measured(row)}")
            elif lately is not None:
                self._retire(row, "harms_lately", f"It harms by now. {lately}")
            elif total.n >= FIRST_LOOK and is_hopeless(self._tried[row], planned, self._level):
                self._give_up(row, planned)
            else:
                needed = self._level if total.n >= planned else EARLY * self._level
                proven = total.n >= min(_FEW_TO_PROVE, planned) and total.p <= needed
                self.standing[self._id(row)] = "helps" if proven else "undecided"

    def _give_up(self, row: int, planned: int) -> None:
        if planned < _FEW_TO_PROVE or not self._store.gives_up:
            self.standing[self._id(row)] = "undecided"
        elif not self._tried[row].any():
            self._retire(row, "no_effect", f"It changes nothing. {self._measured(row)}")
        else:
            power = predictive_power(self._tried[row], planned, self._level)
            more = (
                f"Trials on all {planned} would show a gain with a chance of {power:.1%}."
                if len(self._tried[row]) < planned
                else f"A gain is shown at p = {self._level:.2g}, this is {self._p(row):.2g}."
            )
            self._retire(row, "no_gain", f"No gain can be shown. {self._measured(row)} {more}")

    def _lately(self, row: int) -> str | None:
        """Say what the newest sessions show, if that is harm."""
        newest = self._store.gains[row, : self._store.newest]
        gains = newest[~np.isnan(newest)]
        found = tally(gains)
        if found.n < FIRST_LOOK or found.mean + _LATELY * found.error >= 0:
            return None
        return f"On the newest sessions: {verification(gains.tolist())}"

    def _activate(self) -> None:
        """Put proven hints to use, unless they wait for a person."""
        for row in self._left:
            pending = self._hint(row).hint.status == "pending"
            if pending and self._is_proven(row) and not self._store.waits:
                reason = f"It helps. {self._measured(row)}"
                self._change(row, "helps", "active", reason, self._figures(row))

    def _drop_dominated(self) -> None:
        """Retire what another hint is better than, or as good as, in nearly all sessions."""
        for row in sorted(self._left, key=self._seniority, reverse=True):
            for other in self._left:
                if other == row or not self._is_proven(other) or self._must_wait(other, row):
                    continue
                found = compare_pair(self._store.gains[row], self._store.gains[other])
                if is_dominated(found, fewest=_FEW_TO_PROVE):
                    better = found.sessions - found.better
                    reason = (
                        f"Hint {self._id(other)} is at least as good on {better} of "
                        f"{counted(found.sessions, 'session')}, and better on {found.worse}."
                    )
                    figures = {
                        "sessions": found.sessions,
                        "better": found.better,
                        "worse": found.worse,
                    }
                    self._retire(row, "dominated", reason, figures, by=other)
                    break

    def _must_wait(self, other: int, row: int) -> bool:
        """Return whether a hint waits for a person, while another is in use."""
        statuses = (self._hint(other).hint.status, self._hint(row).hint.status)
        return self._store.waits and statuses == ("pending", "active")

    def _drop_unused(self) -> None:
        total = self._store.answers
        needed = {
            change.figures.get("hint")
            for change in self.changes
            if change.hint_id not in self._store.unused
        }
        for row in list(self._left):
            if self._id(row) in self._store.unused - needed:  # it took the place of a used one
                reason = (
                    f"It was not used in the last {counted(total, 'recommendation')} with a hint."
                )
                self._retire(row, "unused", reason, {"recommendations": total})

    def _drop_surplus(self) -> None:
        """Keep the most promising ones of more hints than there may be; what is new may stay."""
        most = len(self._left) - self._store.most
        tried = [row for row in self._left if self._tallies[row].n >= FIRST_LOOK]
        worst = sorted(tried, key=lambda row: (self._is_proven(row), self._promise(row)))
        for row in worst[: max(most, 0)]:
            reason = (
                f"A domain keeps {counted(self._store.most, 'hint')} (RE2LLM_HINTS_MAX), and as "
                f"many promise more. {self._measured(row)}"
            )
            self._retire(row, "surplus", reason)

    def _seniority(self, row: int) -> tuple[Any, ...]:
        """Order hints such that of two that are alike, the first is to stay."""
        hint = self._hint(row).hint
        # What was measured before this run counts first: trials of it only settle doubts.
        return (hint.status != "active", -hint.trials, -self._tallies[row].n, hint.id)

    def _promise(self, row: int) -> float:
        """Return the mean gain, shrunk: few trials prove little."""
        found = self._tallies[row]
        return found.mean * found.n / (found.n + SHRINKAGE)

    def _is_proven(self, row: int) -> bool:
        return self.standing[self._id(row)] == "helps"

    def _hint(self, row: int) -> KeptHint:
        return self._store.hints[row]

    def _id(self, row: int) -> int:
        return self._hint(row).hint.id

    def _p(self, row: int) -> float:
        return self._tallies[row].p

    def _measured(self, row: int) -> str:
        return str(verification(self._tried[row].tolist()))

    def _figures(self, row: int) -> dict[str, Any]:
        shown = verification(self._tried[row].tolist()).as_dict()
        return {**shown, "p": self._p(row), "level": self._level}

    def _retire(
        self,
        row: int,
        verdict: Verdict,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        same: int | None = None,
        *,
        by: int | None = None,
    ) -> None:
        other = same if same is not None else by
        found = self._figures(row) if figures is None else dict(figures)
        if other is not None:
            found["hint"] = self._id(other)
        self._change(row, verdict, "retired", reason, found, same)
        self._left.remove(row)
        self.standing.pop(self._id(row), None)

    def _change(
        self,
        row: int,
        verdict: Verdict,
        after: str,
        reason: str,
        figures: Mapping[str, Any],
        same: int | None = None,
    ) -> None:
        hint = self._hint(row).hint
        merged = None if same is None else self._id(same)
        self.changes.append(
            StatusChange(hint.id, verdict, hint.status, after, reason, figures, merged)
        )
