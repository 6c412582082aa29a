"""What the operations on API keys return."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field


class _KeyGrants(BaseModel):
    """What a key may do and spend."""

    domains: list[str] = Field(description="The domains that it may use.")
    models: list[str] = Field(description="Models that it may name, besides the server's own.")
    may: list[str] = Field(description="What else it may do.")
    calls_per_day: int | None
    usd_per_day: float | None
    requests_per_minute: int | None


class CreatedKey(_KeyGrants):
    """A new API key."""

    id: str = Field(description="What revokes it.")
    key: str = Field(description="The whole key; it cannot be shown again.")
    owner: str


class ListedKey(_KeyGrants):
    """An API key without its secret."""

    id: str
    owner: str
    created_at: dt.datetime
    revoked_at: dt.datetime | None


class RevokedKey(BaseModel):
    """A key that stopped working."""

    id: str
    revoked: bool = Field(description="False if it was revoked before.")
    jobs_stopped: int = Field(description="Running jobs that it had started.")
    autopilots_held: int = Field(description="Autopilots that it had turned on.")
