"""Decides which hints of a domain to keep, use or retire, by their trials; without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...knowledge.hint_store.decisions import KeptHint, StatusChange
from ...records import counted
from .likeness import compare_pair, is_dominated, pairs
from .measured import FEW_TO_PROVE, Measured
from .tidy_store import Standing, Store, Verdict


class Judge:
    """Decides on the hints of a store, one kind of reason after the other.

    Args:
        store: What is known.
        final: Whether no more trials are to come, so that hints without room have to go.

    Attributes:
        changes: What is to change, in the order in which it was decided.
        standing: Whether each hint that stays is proven.
    """

    def __init__(self, store: Store, *, final: bool = True) -> None:
        self.changes: list[StatusChange] = []
        self.standing: dict[int, Standing] = {}
        self._store = store
        self._left = list(range(len(store.hints)))
        self._shown = Measured(store)
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
        rows.sort(key=lambda row: -self._shown.promise(row))
        return [self._hint(row) for row in rows]

    def _merge(self) -> None:
        """Retire what says the same as another hint; the better measured one of two stays."""
        # Of every pair numbers are kept, so only those are compared that can be the same.
        tried = [row for row in self._left if self._shown.is_tried(row)]
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
            if not self._retire(row, "same", reason, figures, likest):
                first.append(place)

    def _weigh(self) -> None:
        """Tell helping from undecided hints; retire those that harm or can hardly be proven."""
        for row in list(self._left):
            shown = self._shown
            self.standing[self._id(row)] = "helps" if shown.is_proven(row) else "undecided"
            lately = shown.harm_lately(row)
            if shown.harms(row):
                self._retire(row, "harms", f"It harms. {shown.sentence(row)}")
            elif lately is not None:
                self._retire(row, "harms_lately", f"It harms by now. {lately}")
            elif shown.is_hopeless(row):
                self._give_up(row)

    def _give_up(self, row: int) -> None:
        if self._store.planned[row] < FEW_TO_PROVE or not self._store.gives_up:
            return
        measured = self._shown.sentence(row)
        if self._shown.is_idle(row):
            self._retire(row, "no_effect", f"It changes nothing. {measured}")
        else:
            more = self._shown.why_hopeless(row)
            self._retire(row, "no_gain", f"No gain can be shown. {measured} {more}")

    def _activate(self) -> None:
        """Put proven hints to use, unless they wait for a person."""
        for row in self._left:
            pending = self._hint(row).hint.status == "pending"
            if pending and self._is_proven(row) and not self._store.waits:
                reason = f"It helps. {self._shown.sentence(row)}"
                self._change(row, "helps", "active", reason, self._shown.figures(row))

    def _drop_dominated(self) -> None:
        """Retire hints if another one is as good or better in nearly all sessions."""
        for row in sorted(self._left, key=self._seniority, reverse=True):
            for other in self._left:
                if other == row or not self._is_proven(other) or self._must_wait(other, row):
                    continue
                found = compare_pair(self._store.gains[row], self._store.gains[other])
                if is_dominated(found, fewest=FEW_TO_PROVE):
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
        unused = self._store.unused
        # Some took the place of a used one.
        needed = {
            change.figures.get("hint") for change in self.changes if change.hint_id not in unused
        }
        for row in list(self._left):
            total = unused.get(self._id(row))
            if total is not None and self._id(row) not in needed:
                reason = (
                    f"It was not used in the last {counted(total, 'recommendation')} that could "
                    "have had it, and had another hint."
                )
                self._take_out(row, "unused", reason, {"recommendations": total})

    def _drop_surplus(self) -> None:
        """Keep the most promising hints if there are too many.

        A hint with few trials may still be good, so it stays. But a hint that is in use and gains
        is replaced only by hints that were tried, too.
        """
        most = self._store.most
        tried = [row for row in self._left if self._shown.is_tried(row)]
        too_many, too_many_tried = len(self._left) - most, len(tried) - most
        tried.sort(
            key=lambda row: (self._serves(row), self._is_proven(row), self._shown.promise(row))
        )
        gone = 0
        for row in tried:
            if gone >= (too_many_tried if self._serves(row) else too_many):
                break
            reason = (
                f"A domain keeps {counted(most, 'hint')} (RE2LLM_HINTS_MAX), and as many others "
                f"promise more or are yet to be tried. {self._shown.sentence(row)}"
            )
            gone += self._retire(row, "surplus", reason)

    def _seniority(self, row: int) -> tuple[Any, ...]:
        """Order hints such that of two that are alike, the first is to stay."""
        hint = self._hint(row).hint
        # What was measured before this run counts first: trials of it only settle doubts.
        return (hint.status != "active", -hint.trials, -self._shown.summaries[row].n, hint.id)

    def _serves(self, row: int) -> bool:
        in_use = self._hint(row).hint.status == "active" and self._shown.is_verified(row)
        return in_use or self._is_proven(row)

    def _is_proven(self, row: int) -> bool:
        return self.standing[self._id(row)] == "helps"

    def _hint(self, row: int) -> KeptHint:
        return self._store.hints[row]

    def _id(self, row: int) -> int:
        return self._hint(row).hint.id

    def _retire(
        self,
        row: int,
        verdict: Verdict,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        same: int | None = None,
        *,
        by: int | None = None,
    ) -> bool:
        """Retire a hint; return whether it goes, as nobody approved it against its trials."""
        if self._id(row) in self._store.approved:
            return False
        other = same if same is not None else by
        found = self._shown.figures(row) if figures is None else dict(figures)
        if other is not None:
            found["hint"] = self._id(other)
        self._take_out(row, verdict, reason, found, same)
        return True

    def _take_out(
        self,
        row: int,
        verdict: Verdict,
        reason: str,
        figures: Mapping[str, Any],
        same: int | None = None,
    ) -> None:
        self._change(row, verdict, "retired", reason, figures, same)
        self._left.remove(row)
        del self.standing[self._id(row)]

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
