"""What the operations on hints return."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from ...knowledge.hint_store.hints import Hint
from ...knowledge.hint_store.pages import HintOnPage
from ...knowledge.hint_store.stats import harm_of
from ...rank_metrics import BEYOND_DOUBT
from ...ranking.hints.verification import Verification


class ListedHint(BaseModel):
    """A hint that was learned from misses, or given by a person."""

    id: int
    text: str
    status: str
    trials: int = Field(description="Training sessions on which it was tried.")
    mean_gain: float = Field(
        description="Mean of NDCG@10 with it minus without it; 0 and not measured without trials."
    )
    gain_error: float = Field(description="Standard error of that mean.")
    helped: int
    harmed: int
    gain_elsewhere: float | None = Field(
        description="Where it was not tried: the last gain measured with another model or prompt."
    )
    trials_elsewhere: int = Field(default=0, description="Sessions on which that was measured.")


class ListedHints(BaseModel):
    """A domain's hints."""

    domain: str
    model: str = Field(description="The model on which the gains were measured.")
    hints: list[ListedHint]


class AddedHint(BaseModel):
    """What became of a person's hint."""

    text: str = Field(description="On one line, HTML entities resolved.")
    outcome: Literal["stored", "duplicate", "leak"]
    reason: str = Field(description="Why it was not stored; empty if it was.")
    hint_id: int | None = Field(
        default=None, description="The hint that it became or repeats; null if it was refused."
    )
    understood: list[str] | None = Field(
        default=None,
        description="What each of its clauses makes the offline model weigh; "
        "null if another model reads the hints.",
    )


class MeasuredGain(BaseModel):
    """The gain of a hint on the training sessions on which it was tried."""

    sessions: int
    mean: float = Field(
        description="Mean of NDCG@10 with it minus without it; 0 and not measured without sessions."
    )
    ci90: tuple[float, float] = Field(description="The mean's 90 % interval.")
    helped: int
    harmed: int

    @classmethod
    def of(cls, stats: Verification) -> MeasuredGain:
        """Round the numbers for an answer."""
        return cls.model_validate(stats.as_dict())

    @classmethod
    def on(cls, hint: Hint | HintOnPage, **more: str) -> Self:
        """Read a hint's stats.

        Args:
            more: The other fields of a subclass.
        """
        width = BEYOND_DOUBT * hint.gain_error
        ends = (hint.mean_gain - width, hint.mean_gain + width)
        stats = Verification(hint.trials, hint.mean_gain, *ends, hint.helped, hint.harmed)
        return cls.model_validate({**stats.as_dict(), **more})

    def __str__(self) -> str:
        """The numbers as a sentence."""
        return str(Verification(self.sessions, self.mean, *self.ci90, self.helped, self.harmed))


class HintGain(MeasuredGain):
    """A hint and its gain with the run's model and prompt, as `hints list` shows it."""

    model: str
    prompt_version: str


class RetiredHint(BaseModel):
    """A hint that was retired for measured harm."""

    id: int
    text: str
    reason: str

    @classmethod
    def of(cls, hint: Hint) -> RetiredHint:
        """Say why a hint that did harm was retired."""
        return cls(id=hint.id, text=hint.text, reason=harm_of(hint))


class VerifiedHint(BaseModel):
    """What trying a hint has shown."""

    id: int
    text: str
    outcome: Literal["helps", "no_gain", "harms"] = Field(
        description="Whether the whole interval lies above 0, around it, or below it."
    )
    gain: MeasuredGain
    status: str = Field(description="`active`, `pending` or `retired`, after the decision.")
    decision: str = Field(description="What became of it, in words.")


class VerifiedHints(BaseModel):
    """What verifying a domain's hints has shown."""

    domain: str
    model: str
    hints: list[VerifiedHint]
    retired_hints: list[RetiredHint] = Field(
        description="Also others whose loss is beyond doubt now."
    )
    left: int = Field(description="Hints that were not tried to the end.")
    kept: int = Field(description="Active and pending hints of the domain now.")
    llm_calls: int = Field(description="Retries included.")
    cost: float = Field(description="By `RE2LLM_PRICES`.")
    stopped: dict[str, Any] | None = Field(
        description="Why it stopped early, as an error; null if it did not."
    )


class TriedHint(BaseModel):
    """The gain of a hint that was not stored; only the paid answers were."""

    domain: str
    text: str = Field(description="On one line, HTML entities resolved.")
    model: str
    leak: str | None = Field(description="Why it cannot be stored; null if it can.")
    understood: list[str] | None = Field(
        description="What each clause makes the offline model weigh; null for another model."
    )
    gain: MeasuredGain
    llm_calls: int
    cost: float


class ImportedHints(BaseModel):
    """What became of a file's hints."""

    domain: str
    stored: list[int] = Field(description="Ids; they wait for verification.")
    duplicate: int
    refused: list[dict[str, str]] = Field(description="The text of each and the reason.")
