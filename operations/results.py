"""What the operations return: the shape of every tool's structured answer."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field


class FoundItem(BaseModel):
    """An item of the catalogue."""

    id: str
    title: str
    about: str = Field(
        description="Its attributes in words, which tell items with the same title apart."
    )


class FoundTitle(BaseModel):
    """What a typed title may mean."""

    typed: str
    status: Literal["found", "ambiguous", "unknown"] = Field(
        description="`found`: `items` holds the one; `ambiguous`: ask which of `items` is meant; "
        "`unknown`: the catalogue has no such title, `items` are near in meaning."
    )
    items: list[FoundItem]


class FoundTitles(BaseModel):
    """The items that some titles stand for."""

    titles: list[FoundTitle]


class RecommendedItem(BaseModel):
    """One recommended item."""

    rank: int = Field(description="1 is best.")
    id: str
    title: str
    year: int | None = Field(default=None, description="If the catalogue knows it.")
    because: list[str] = Field(description="Facts that it shares with what was chosen before.")


class GivenHint(BaseModel):
    """The lesson that went into the ranking prompt, if any; of several, the first."""

    id: int | None
    text: str | None
    policy: str = Field(description="What chose it.")
    probability: float = Field(
        description="The probability with which it was chosen; of several hints, with which all "
        "were, in any order."
    )


class PickedHint(BaseModel):
    """One of the lessons that went into the ranking prompt together."""

    id: int | None
    text: str
    probability: float = Field(
        description="The probability with which it was picked, given those before it."
    )


class Recommended(BaseModel):
    """The answer to a request for recommendations."""

    recommendation_id: str | None = Field(
        description="Pass it with the feedback; null if nothing was logged."
    )
    domain: str
    history: list[str] = Field(description="Ids of the items that it was made for.")
    history_titles: list[str] = Field(description="Their titles.")
    items: list[RecommendedItem] = Field(description="The best ones, best first.")
    ranking: list[str] = Field(description="Ids of all candidates, best first.")
    hint: GivenHint
    hints: list[PickedHint] = Field(
        description="All lessons that went into the prompt, in the order in which they were picked."
    )
    model: str
    llm_calls: int = Field(description="Calls made to the model, retries included.")
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")
    faults: dict[str, int] = Field(
        description="Candidates that the model repeated, invented and left out, before any repair."
    )
    model_error: str = Field(
        description="What the model's server said if it gave no answer; else empty."
    )


class FeedbackStored(BaseModel):
    """What became of a person's feedback."""

    recommendation_id: str
    picked: str | None = Field(description="Id of the picked item; null for none of these.")
    title: str | None = Field(description="Its title.")
    rank: int | None = Field(description="Its rank; null if it was not in the ranking.")
    reward: float = Field(description="NDCG@10 of that rank; 0 for none of these.")
    missed: bool = Field(
        description="Whether an item was picked that was not among the best fifth of the "
        "candidates, or not among the best 10."
    )
    new: bool = Field(description="False if the same feedback was stored before.")
    learning: bool = Field(description="Whether hints are now being learned from this miss.")


class ListedHint(BaseModel):
    """A lesson that was learned from misses, or given by a person."""

    id: int
    text: str
    status: str
    trials: int = Field(description="Training sessions on which it was tried.")
    mean_gain: float = Field(description="Mean of NDCG@10 with it minus without it.")
    gain_error: float = Field(description="Standard error of that mean.")
    helped: int
    harmed: int
    gain_elsewhere: float | None = Field(
        description="Where it was not tried: the last gain measured with another model or prompt."
    )


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


class ReleaseRollout(BaseModel):
    """What became of a release on live traffic."""

    number: int = Field(description="1 for the domain's first rollout.")
    state: str = Field(description="`running`, `held`, `promoted`, `taken_back` or `stopped`.")
    percent: float = Field(description="Of people, who get the release now.")
    reason: str = Field(description="Of its last change, in one word.")
    words: str = Field(description="The same in a sentence.")


class ListedRelease(BaseModel):
    """A release of the learned hint policy, without its weights."""

    id: int
    status: str = Field(description="`active` or `inactive`.")
    recipe: str = Field(description="`content` or `paper`.")
    model: str = Field(description="The ranking model that it was trained for.")
    encoder: str
    prompt_version: str
    hint_set: str = Field(description="Digest of the hints that it was trained on.")
    hint_ids: list[int]
    config: dict[str, Any] = Field(description="How it was trained.")
    metrics: dict[str, Any] = Field(description="On validation sessions.")
    created_at: str
    rollout: ReleaseRollout | None = Field(
        default=None, description="Its latest rollout, if there was one."
    )


class ListedReleases(BaseModel):
    """A domain's releases."""

    domain: str
    releases: list[ListedRelease]


class ListedDomain(BaseModel):
    """A catalogue."""

    name: str
    encoder: str = Field(description="Id of the text encoder of its embeddings.")
    items: int
    sessions: int = Field(description="Training sessions.")
    hints: int = Field(description="Pending and retired ones too.")
    releases: int
    recommendations: int = Field(description="Logged ones.")


class Loaded(BaseModel):
    """What a load did."""

    domain: str
    items: int = Field(description="Items in the domain now.")
    items_changed: int = Field(description="Of those, new or changed ones.")
    sessions: int = Field(description="Training sessions in the domain now.")
    sessions_new: int = Field(description="Of those, new ones.")
    sessions_recent: int = Field(
        description="Of all, the recent ones; 0 if they are not in time order."
    )
    sessions_unusable: int = Field(
        default=0, description="Left out: they hold the whole catalogue, so nothing is to rank."
    )
    malformed: int = Field(default=0, description="Rows that were skipped.")
    warnings: int = Field(default=0, description="Rows that were repaired or look odd.")
    notes: list[str] = Field(default=[], description="The first of both, with file and line.")
    advice: str = Field(
        default="",
        description="What to do if there is too little to learn from, or if items will be "
        "found slowly; else empty.",
    )


class _KeyGrants(BaseModel):
    """What a key may do and spend."""

    domains: list[str] = Field(description="The catalogues that it may use.")
    models: list[str] = Field(description="Models that it may name, besides the server's own.")
    may: list[str] = Field(description="What else it may do.")
    calls_per_day: int | None
    usd_per_day: float | None
    requests_per_minute: int | None


class CreatedKey(_KeyGrants):
    """A new API key."""

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


class SessionSource(BaseModel):
    """Where training sessions came from."""

    source: str = Field(description="`file`, `local`, or the id of an API key.")
    owner: str | None = Field(description="The key's owner.")
    sessions: int
    first: dt.datetime | None
    last: dt.datetime | None


class DroppedSessions(BaseModel):
    """What went with a source."""

    domain: str
    source: str
    sessions: int
    hints_pending: list[int] = Field(description="Ids of hints that wait for approval again.")
    feedback_settled: int = Field(description="Waiting feedback that is not learned from.")


class Purged(BaseModel):
    """What was deleted, or with `dry_run` would be."""

    dry_run: bool
    before: dt.datetime | None
    owner: str | None
    recommendations: int
    feedback: int
    sessions: int = Field(description="Observed training sessions.")
    answers: int = Field(description="Models' answers; the ledger's rows stay.")
    hints_pending: int = Field(description="Hints that wait for approval again.")


class RatingReasons(BaseModel):
    """The four steps of the model's reasoning; empty for a step that it skipped."""

    analyze_user: str
    analyze_item: str
    match: str
    rate: str


class Rated(BaseModel):
    """A predicted rating."""

    rating: float = Field(description="On the scale, always; `flags` says if it is a fallback.")
    reasoning: RatingReasons
    valid: bool = Field(description="Whether the model kept the answer's format to the letter.")
    model: str
    flags: list[str] = Field(description="What went wrong on the way; empty for a clean answer.")
    model_error: str = Field(
        description="What the model's server said if it gave no answer; else empty."
    )
