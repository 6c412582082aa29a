"""Calls, tokens, money and the reason of an early end have one name and one type in all answers."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import re2llm.operations
from pydantic import BaseModel
from re2llm.errors import Re2llmError
from re2llm.interfaces.api.jobs import JobDocument
from re2llm.knowledge.jobs.jobs import ListedJob
from re2llm.policies.autopilot.decision import Observation
from re2llm.policies.autopilot.drift import reward_drift
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.policies.rollout.confidence import Moments
from re2llm.runtime.budget import Budget

OTHER_NAMES = {
    *("calls", "max_calls", "calls_left", "model_calls", "n_calls"),
    *("usd", "max_usd", "usd_left", "spent", "money", "price", "costs"),
    *("token_count", "in_tokens", "out_tokens", "input_tokens", "output_tokens"),
}
TYPES = {
    "llm_calls": (int,),
    "questions": (int,),
    "cost": (float, float | None),
    "max_llm_calls": (int | None,),
    "max_tokens": (int | None,),
    "max_cost": (float | None,),
    "calls_per_day": (int | None,),
    "usd_per_day": (float | None,),
}


def answers() -> Iterator[type]:
    """Yield what operations return as JSON, and what is shown of jobs, plans and budgets."""
    package = re2llm.operations
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for found in vars(importlib.import_module(module.name)).values():
            if not isinstance(found, type) or not found.__module__.startswith(package.__name__):
                continue
            if issubclass(found, BaseModel) or (
                dataclasses.is_dataclass(found) and hasattr(found, "as_dict")
            ):
                yield found
    yield from (JobDocument, ListedJob, AutopilotPlan, Budget)


def fields() -> list[tuple[str, str, Any]]:
    """Return class, field and type of all answers."""
    return [
        (answer.__qualname__, name, kind)
        for answer in set(answers())
        for name, kind in typing.get_type_hints(answer).items()
    ]


def test_no_answer_has_a_name_of_its_own() -> None:
    found = fields()
    assert {"llm_calls", "cost", "stopped", "questions"} <= {name for _, name, _ in found}
    assert [(of, name) for of, name, _ in found if name in OTHER_NAMES] == []


def test_what_an_autopilot_s_decision_rests_on_has_no_name_of_its_own() -> None:
    figures = Observation(reward=reward_drift(Moments(), [], 1)).figures()
    assert {"cost_left", "llm_calls_left"} <= figures.keys()
    assert OTHER_NAMES & {*figures, *figures["reward"]} == set()


def test_each_name_has_one_type() -> None:
    other = [
        (of, name, kind) for of, name, kind in fields() if kind not in TYPES.get(name, (kind,))
    ]
    assert other == []


def test_what_stopped_work_is_an_error_or_null() -> None:
    for of, name, kind in fields():
        if name != "stopped":
            continue
        error, none = typing.get_args(kind)
        assert none is type(None), of
        assert error == dict[str, Any] or issubclass(error, Re2llmError), of
