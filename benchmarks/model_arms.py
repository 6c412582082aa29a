"""The ways in which `benchmarks.real_llm` asks a model, and what it answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from re2llm.errors import Failure, InputError, ModelDownError, ReleaseMisfitError, failure_among
from re2llm.evaluation.experiment import target_of
from re2llm.knowledge.hint_store.hints import UNSTORED, Hint, clean_hint, list_hints
from re2llm.llm.prices import prompt_key
from re2llm.llm.ranking_answers.answers import RankingAnswer
from re2llm.operations.catalogue.titles import in_catalogue
from re2llm.operations.database import in_domain
from re2llm.ranking.choosers import CHOOSERS
from re2llm.ranking.gather import gather
from re2llm.ranking.given import given
from re2llm.ranking.model_ranking import request_ranking
from re2llm.ranking.prompt import prompt_size, ranking_prompt
from re2llm.ranking.release_cache import served_policy
from re2llm.ranking.settle import complete, repaired_answer
from re2llm.ranking.state import RecommendState
from re2llm.records import Flag, Session
from re2llm.runtime.options import RunOptions
from re2llm.runtime.outages import OutageGuard

LETTERS: Final = "letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way to ask.

    Attributes:
        name: In the tables.
        options: With the order of the candidates and the recipe.
        plain: Name of the arm without hint that has the same order and recipe.
        hint: The hint to give.
        chosen: Whether the active release chooses the hint.
        full: Whether the answer names all candidates of the prompt.
        sessions: How many sessions are asked so, from the first; `None` for all.
        calibrated: Whether the answers alone are also scored calibrated by place.
    """

    name: str
    options: RunOptions
    plain: str
    hint: str | None = None
    chosen: bool = False
    full: bool = False
    sessions: int | None = None
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one prompt, and what it took, a repair included.

    Attributes:
        numbers: Candidates that it names, best first.
        scores: Of all candidates in the prompt, where a letter was asked for; else empty.
        faults: Of the first answer, before a repair.
        flags: What went wrong.
        tokens: `in`, `cached` and `out`.
        latency_ms: Wall-clock milliseconds.
        calls: Requests; 0 for an answer that the database had, whose cost is unknown.
    """

    numbers: list[int]
    faults: dict[str, int]
    flags: list[str]
    tokens: dict[str, int]
    latency_ms: float
    calls: int
    scores: list[float] = field(default_factory=list[float])

    @property
    def read(self) -> RankingAnswer:
        """The answer as the ranking takes it."""
        return RankingAnswer(
            tuple(self.numbers),
            well_formed=True,
            repeated=0,
            invented=0,
            missing=0,
            scores=tuple(self.scores),
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with the request that it belongs to."""

    state: RecommendState
    answer: Answer

    @property
    def ids(self) -> list[str]:
        """The candidates in the order of their numbers."""
        return [item["id"] for item in self.state["candidate_items"]]

    @property
    def target(self) -> int:
        """The row of the candidate that was chosen."""
        return self.ids.index(self.state.get("target", ""))

    def rank(self, numbers: Sequence[int]) -> int:
        """Return the target's rank if these candidates come first, the rest by the first stage."""
        return complete(numbers, self.state).index(self.target + 1) + 1

    @property
    def listed(self) -> list[str]:
        """The candidates of the prompt in the model's order."""
        shown = set(range(1, prompt_size(self.state) + 1))
        order = complete(self.answer.numbers, self.state)
        return [self.ids[number - 1] for number in order if number in shown]


@dataclass
class Answers:
    """Every answer so far by its prompt, in a file with a line for each finished session."""

    file: Path | None
    known: dict[str, Answer] = field(default_factory=dict[str, Answer])

    def __post_init__(self) -> None:
        """Read the file. A line that a killed run left half-written is cut off."""
        if self.file is None or not self.file.exists():
            return
        content = self.file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            for line in whole.splitlines():
                found = json.loads(line)["answers"]
                self.known |= {key: Answer(**value) for key, value in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{self.file} holds something else."
            raise InputError("--resume", problem, "Name a new file.") from error
        os.truncate(self.file, len(whole))

    def finish(self, session: int, answers: Mapping[str, Answer]) -> None:
        """Keep a session's answers, except failed calls: a later run makes those again."""
        new = {
            key: answer
            for key, answer in answers.items()
            if key not in self.known and Flag.MODEL_FAILED not in answer.flags
        }
        self.known |= new
        if self.file is None or not new:
            return
        line = {"session": session, "answers": {key: asdict(value) for key, value in new.items()}}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


async def arms(
    options: RunOptions,
    *,
    best: int,
    hints: Sequence[str],
    orders: int,
    permuted: int,
    letters: bool,
) -> list[Arm]:
    """Return the ways to ask, in the order in which each session is asked.

    Those whose prompts begin alike follow each other, the one without a hint first, so that the
    provider still has the beginning in its cache.

    Args:
        options: Its order of the candidates is the one in which hints are given.
        best: How many of the domain's active hints to try.
        hints: Further hints to try.
        orders: In how many orders to ask, to measure what the order does.
        permuted: On how many sessions.
        letters: Whether to ask for one letter, too.
    """
    async with in_domain(options) as (connection, domain):
        active = await list_hints(connection, domain.id, status="active")
        prompted_model = options.prompted_model
        try:
            serves = await served_policy(options.services, connection, domain.id, prompted_model)
        except ReleaseMisfitError:
            serves = None
    promising = sorted(active, key=lambda hint: -hint.promise)[:best]
    texts = {f"hint {hint.id}": hint.text for hint in promising}
    texts |= {f"hint {chr(97 + n)}": clean_hint(hint) for n, hint in enumerate(hints)}
    ordered = replace(options, prompt_order="first_stage")
    shuffled = replace(options, prompt_order="shuffled")
    plain = {
        "ordered": Arm(name="ordered", options=ordered, plain="ordered"),
        "shuffled": Arm(name="shuffled", options=shuffled, plain="shuffled", calibrated=True),
    }
    base = plain.pop("shuffled" if options.prompt_order == "shuffled" else "ordered")
    found = [base]
    found += [replace(base, name=name, hint=text) for name, text in texts.items()]
    if serves is not None:
        found.append(replace(base, name="policy", chosen=True))
    found.append(replace(base, name="full", full=True))
    found += plain.values()
    found += [
        Arm(
            name=f"order {order + 1}",
            options=replace(shuffled, order=order),
            plain="shuffled",
            sessions=permuted,
        )
        for order in range(1, orders)
    ]
    if letters:
        in_letters = replace(base.options, prompt_choice=LETTERS)
        found.append(Arm(name=LETTERS, options=in_letters, plain=LETTERS, calibrated=True))
    return found


async def ask_session(
    session: Session, arms: Sequence[Arm], known: Mapping[str, Answer], outages: OutageGuard
) -> tuple[dict[str, Answered], dict[str, Answer]]:
    """Ask about a session in each way, one after another, unless the answer is known.

    Returns:
        What was answered by the name of the arm, and by prompt.
    """
    gathered: dict[tuple[str, int], RecommendState] = {}
    answered: dict[str, Answered] = {}
    answers: dict[str, Answer] = {}
    for arm in arms:
        view = arm.options.prompt_order, arm.options.order
        if view not in gathered:
            gathered[view] = await _gathered(session, arm.options)
        named = [Hint(UNSTORED, arm.hint, "pending")] if arm.hint else []
        hints = await _chosen(gathered[view], arm.options) if arm.chosen else named
        request: dict[str, Any] = {**gathered[view], **given(hints, "given", 1.0)}
        if arm.full:
            request["shown"] = prompt_size(gathered[view])
        state = cast("RecommendState", request)
        endpoint = await arm.options.services.models.endpoint(arm.options.model)
        messages = ranking_prompt(state, arm.options)
        key = prompt_key(endpoint.name, endpoint.server, messages).hex()
        if key not in answers:
            answers[key] = known.get(key) or await _asked(state, arm.options, outages)
        answered[arm.name] = Answered(state, answers[key])
    return answered, answers


async def _gathered(session: Session, options: RunOptions) -> RecommendState:
    request: dict[str, Any] = {
        "history": list(session.history),
        "candidates": list(session.candidates or ()),
        "target": target_of(session),
    }
    async with in_catalogue(options, None) as finder:
        found = await gather(finder.domain, cast("RecommendState", request), options)
    return cast("RecommendState", {**request, **found})


async def _chosen(state: RecommendState, options: RunOptions) -> Sequence[Hint]:
    return (await CHOOSERS["ppo"](state, options)).hints


async def _asked(state: RecommendState, options: RunOptions, outages: OutageGuard) -> Answer:
    """Ask as in production. A failed call counts; an outage is waited out."""
    found: list[Answer] = []

    async def once() -> None:
        update = await request_ranking(state, options)
        flags = [*state["flags"], *update["flags"]]
        raw = cast("RecommendState", {**state, **update, "flags": flags})
        read, spent = await repaired_answer(raw, options)
        found[:] = [
            Answer(
                list(read.numbers),
                spent["faults"],
                spent["flags"],
                spent["tokens"],
                spent["latency_ms"],
                spent["llm_calls"],
                list(read.scores),
            )
        ]
        failure = failure_among(spent["flags"])
        if Flag.MODEL_FAILED in spent["flags"] and failure != Failure.REFUSED:
            raise ModelDownError(options.model, failure, spent["model_error"])

    while not found or Failure.CIRCUIT_OPEN in found[0].flags:
        await outages.survive(once)
    return found[0]
