"""What `doctor` returns: the settings and where they come from, and what was checked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from ...errors import Re2llmError
from ...llm.client.probes import Status


class SetValue(BaseModel):
    """A setting as it counts."""

    name: str
    value: str = Field(description="Of a secret, at most its last two characters.")
    source: Literal["environment", ".env", "default"]


class Check(BaseModel):
    """Something that was looked at."""

    name: str
    status: Status = Field(description="`note`: re2llm works without it.")
    found: str
    remedy: str = Field(default="", description="What to do about it; empty if nothing.")

    @classmethod
    def of(cls, name: str, error: Re2llmError, status: Status = "failed") -> Check:
        """Return what an error says as a check."""
        field = f"`{error.field}`" if error.field.islower() else error.field
        found = f"{field}: {error.problem}"
        return cls(name=name, status=status, found=found, remedy=error.remedy)


class Diagnosis(BaseModel):
    """Whether everything that is needed works."""

    ok: bool
    settings: list[SetValue]
    checks: list[Check]
    llm_calls: int = Field(description="Calls made to models, as in the ledger.")
