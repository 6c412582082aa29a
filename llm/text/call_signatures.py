"""What Gemini writes next to each call of a tool: a signature of the thoughts before it."""

from __future__ import annotations

from typing import Any

from .json_values import is_object

EXTRAS = "extra_content"
"""Its field of a call; in LangChain's messages one of the message, by the calls' places."""
_LONGEST = 50_000
"""Characters of a signature; Gemini's have some thousands."""


def signature_in(extra: object) -> dict[str, Any] | None:
    """Return a signature in the form in which it is sent again, without anything beside it.

    Args:
        extra: A call's field, as a server or a caller wrote it.
    """
    held: Any = extra.get("google") if is_object(extra) else None
    signature: Any = held.get("thought_signature") if is_object(held) else None
    if not isinstance(signature, str) or not 0 < len(signature) <= _LONGEST:
        return None
    return {"google": {"thought_signature": signature}}


def signatures_in(extras: object) -> dict[str, Any]:
    """Return the signatures of a message's calls, by their places; others are left out.

    Args:
        extras: A message's field, as we or a caller wrote it.
    """
    held = extras if is_object(extras) else {}
    found = {str(place): signature_in(extra) for place, extra in held.items()}
    return {place: extra for place, extra in found.items() if extra is not None}
