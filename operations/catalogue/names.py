"""Names for shell completion."""

from __future__ import annotations

from ...knowledge.names import Kind, stored_names
from ...settings import get_settings


def names_starting_with(
    start: str, kind: Kind, *, domain: str | None = None
) -> list[tuple[str, str]]:
    """Return the names or numbers that begin so, with a remark on each. Blocks for a moment.

    It starts no database, and offers nothing if something fails.

    Args:
        domain: The domain of the hints or releases; `None` takes the settings', or the only one.
    """
    try:
        settings = get_settings()
        found = stored_names(kind, domain or settings.domain or "", settings)
    except Exception:  # noqa: BLE001  # a person who presses Tab wants no error
        return []
    return [(name, remark) for name, remark in found if name.startswith(start)]
