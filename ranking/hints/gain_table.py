"""The gains of hints on given sessions: read from the trials, or paid for where unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.hint_store.decisions import KeptHint
from ...knowledge.hint_store.hints import hint_key
from ...knowledge.hint_store.trials import gains as paid_gains
from ...runtime.options import RunOptions
from .paired_trials import PairedTrials
from .proof import typical_loss
from .trials import resolve_session


class GainTable:
    """Gains of hints by session.

    Args:
        domain: Its name.
        sessions: Keys of the sessions, in the order in which hints are tried on them.
        options: The run's options.

    Attributes:
        paid: Trials of a hint that this table has paid for.
    """

    def __init__(self, domain: str, sessions: Sequence[int], options: RunOptions) -> None:
        self.paid = 0
        self._domain = domain
        self._sessions = sessions
        self._options = options
        self._known: dict[tuple[bytes, int], float] = {}
        self._trials = PairedTrials(options)

    async def read(self, connection: AsyncConnection, domain_id: int) -> None:
        """Read what was paid for before."""
        wanted = set(self._sessions)
        for gain in await paid_gains(connection, domain_id, self._options.prompted_model):
            if gain.session_id in wanted:
                self._known[gain.hint_key, gain.session_id] = gain.gain

    def of(self, hint: KeptHint, own: AbstractSet[int]) -> NDArray[np.float64]:
        """Return a hint's gains by session, shape `[sessions]`, NaN where they are not known.

        Where the hint itself was not tried, what was merged into it counts.

        Args:
            own: Keys of the sessions on which it was proposed, which do not count.
        """
        gains = np.full(len(self._sessions), np.nan)
        for column, session in enumerate(self._sessions):
            known = (self._known.get((key, session)) for key in hint.keys)
            if session not in own:
                gains[column] = next((gain for gain in known if gain is not None), np.nan)
        return gains

    def typical_loss(self) -> float:
        """Return how large the losses are, by the trials of all hints, also of retired ones."""
        return typical_loss(np.array(list(self._known.values())))

    async def pay(
        self,
        hint: KeptHint,
        own: AbstractSet[int],
        look: int,
        on_trial: Callable[[], None] = lambda: None,
    ) -> None:
        """Try a hint on the first sessions, where that is not known.

        Args:
            own: Keys of the sessions on which it was proposed; it is not tried on them.
            look: How many of the sessions.
            on_trial: Called after each trial.

        Raises:
            ModelDownError: The model gave no answer.
            BudgetSpentError: The budget allows no further call.
        """
        missing = np.isnan(self.of(hint, own)[:look])
        for session, unknown in zip(self._sessions, missing, strict=False):
            if not unknown or session in own:
                continue
            state = await resolve_session(self._domain, session, self._options)
            text = hint.hint.text
            self._known[hint_key(text), session] = await self._trials.gain(session, state, text)
            self.paid += 1
            on_trial()
