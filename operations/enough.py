"""Says when a domain has too few training sessions to learn from, and how many are enough."""

from __future__ import annotations

ENOUGH_SESSIONS = 100
"""With fewer, the gain of a hint can rarely be told from chance."""
FEWEST_TO_TRAIN = 5
"""Each policy of an ensemble is validated on sessions that it was not trained on."""
_MORE = "Load more: re2llm load … --sessions FILE."


NOTHING_MISSED = (
    "There was nothing to learn: the model missed none of these sessions. "
    "Load more sessions; hints are only learned from misses."
)

NOTHING_HELPED = (
    "No hint helped measurably, so none was kept. `re2llm measure` tells whether the model adds "
    "anything to what past sessions show; another model, or more sessions, may."
)


def session_advice(sessions: int) -> str:
    """Return what to do about too few training sessions; empty if there are enough."""
    if sessions >= ENOUGH_SESSIONS:
        return ""
    if not sessions:
        return (
            "There are no training sessions, so there is nothing to learn hints from yet. About "
            f"{ENOUGH_SESSIONS} are enough. {_MORE}"
        )
    return (
        f"Training sessions are few: {sessions}. A hint is kept only if it measurably helps on "
        f"other sessions, and few pass below about {ENOUGH_SESSIONS} sessions. {_MORE}"
    )
