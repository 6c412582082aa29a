"""Values of Parquet that JSON does not have: text as bytes, and UUIDs."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

_UUID_BYTES = 16
_NO_TEXT = frozenset("\0\ufffd")


def hold_bytes(schema: Any) -> bool:
    """Return whether columns of an Arrow schema hold bytes or UUIDs, nested ones too."""
    return any("binary" in str(kind) or "uuid" in str(kind) for kind in schema.types)


def as_text(value: Any) -> Any:
    """Return bytes of UTF-8 as text, and a UUID or any other 16 bytes as the text of a UUID.

    Entries of lists are read likewise. Old programs do not say that their bytes are text or UUIDs.
    """
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        text = value.decode(errors="replace")
        if _NO_TEXT.isdisjoint(text):
            return text
        return str(UUID(bytes=value)) if len(value) == _UUID_BYTES else value
    if isinstance(value, list):
        return [as_text(entry) for entry in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: as_text(entry) for key, entry in cast("dict[str, object]", value).items()}
    return value
