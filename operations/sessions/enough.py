"""Says when a domain has too few sessions to learn from, or a training too few calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...records import counted

ENOUGH_SESSIONS = 100
"""With fewer sessions, the gain of a hint can rarely be told from chance."""
FEWEST_TO_TRAIN = 5
"""Each policy of an ensemble is validated on sessions that it was not trained on."""
_MORE = "Load more: re2llm load … --sessions FILE."


NOTHING_MISSED = (
    "There was nothing to learn: the model missed none of these sessions. "
    "Load more sessions; hints are only learned from misses."
)

NOTHING_WRITTEN = (
    "The reflecting model wrote no hint that could be tried about these misses. "
    "Another RE2LLM_REFLECT_MODEL is asked about them again."
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


def too_few_calls(metrics: Mapping[str, Any]) -> str:
    """Say why a policy that a limit cut short should not serve; empty if it is no worse.

    It is validated on too few sessions for a clear loss, so any loss counts.

    Args:
        metrics: The metrics of the release: `gain`, `static_gain` and `validation_sessions`.
    """
    gain, static = metrics["gain"], metrics["static_gain"]
    if gain >= static:
        return ""
    return (
        f"After so few calls, the best single hint gains more: {static:+.3f} against {gain:+.3f} "
        f"on {counted(metrics['validation_sessions'], 'session')}. Allow more, or use `force`."
    )
