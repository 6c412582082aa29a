"""The form that turns an autopilot on: what it holds, and what is wrong with each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ...errors import InputError
from ...policies.autopilot.plan import AutopilotPlan, a_day
from ...policies.rollout.plan import Plan, percentages
from ...runtime.request_limits import DomainName

_Number = Annotated[str, Field(max_length=40)]
_Text = Annotated[str, Field(max_length=200)]
_FIELDS = ("usd_per_day", "calls_per_day", "batch", "steps", "hold", "cron")
_REMEDIES = {
    "usd_per_day": "Write dollars a day such as 5, or limit the calls.",
    "calls_per_day": "Write a whole number such as 2000.",
    "batch": "Write a whole number such as 50.",
    "hold": "Write a whole number such as 500.",
}


class OnForm(BaseModel):
    """What an autopilot may spend, and how it goes about it, as typed."""

    domain: DomainName
    usd_per_day: _Number = ""
    calls_per_day: _Number = ""
    batch: _Number = "50"
    steps: _Text = "1,5,25,100"
    hold: _Number = "500"
    cron: _Text = ""


@dataclass(frozen=True, slots=True)
class PilotForm:
    """A form as it is shown.

    Attributes:
        values: The fields' values.
        wrong: What is wrong, by field.
    """

    values: Mapping[str, str]
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of_plan(cls, stored: Mapping[str, Any] | None) -> PilotForm:
        """Return the form for another plan, which holds the present one.

        Args:
            stored: A plan from `AutopilotPlan.as_dict`; `None` if there is none.
        """
        if stored is None:
            return cls(OnForm(domain="x").model_dump(include=set(_FIELDS)))
        canary = stored["canary"]
        given = {
            "usd_per_day": stored["usd_per_day"],
            "calls_per_day": stored["calls_per_day"],
            "batch": stored["batch"],
            "hold": canary["hold"],
        }
        values = {name: "" if value is None else f"{value:.12g}" for name, value in given.items()}
        return cls(values | {"steps": ",".join(f"{one:g}" for one in canary["steps"]), "cron": ""})

    @classmethod
    def refused(cls, form: OnForm, wrong: Mapping[str, str]) -> PilotForm:
        """Return the form as it was sent, with what is wrong.

        Args:
            form: The form as it came.
            wrong: The errors by field.
        """
        return cls(form.model_dump(include=set(_FIELDS)), wrong)


def read_plan(
    form: OnForm, stored: Mapping[str, Any] | None
) -> tuple[AutopilotPlan | None, dict[str, str]]:
    """Return the requested plan, and the errors of the fields.

    Args:
        form: The form as it came.
        stored: The present plan, whose other parts stay.
    """
    wrong: dict[str, str] = {}
    numbers: dict[str, float | None] = {}
    for name in ("usd_per_day", "calls_per_day", "batch", "hold"):
        text = str(getattr(form, name)).strip()
        try:
            numbers[name] = a_day(text, name) if text or name in {"batch", "hold"} else None
        except InputError as error:
            note(wrong, error)
        else:
            if name != "usd_per_day" and (numbers[name] or 0) % 1:
                wrong[name] = f"{text} is no whole number. {_REMEDIES[name]}"
    try:
        steps = percentages(form.steps)
        if wrong:
            return None, wrong
        canary = {} if stored is None else dict(stored["canary"])
        hold = int(numbers["hold"] or 0)
        before = {} if stored is None else {"reference": stored["reference"]}
        plan = AutopilotPlan(
            usd_per_day=numbers["usd_per_day"],
            calls_per_day=None
            if numbers["calls_per_day"] is None
            else int(numbers["calls_per_day"]),
            batch=int(numbers["batch"] or 0),
            canary=replace(Plan.from_dict(canary), steps=steps, hold=hold),
            **before,
        )
    except InputError as error:
        note(wrong, error)
        return None, wrong
    return plan, wrong


def note(wrong: dict[str, str], error: InputError) -> None:
    """Write an error down by its field.

    Args:
        wrong: What is wrong so far; it grows.
        error: The error to show.

    Raises:
        InputError: The error itself, if it is about no field of the form.
    """
    if error.field not in _FIELDS:
        raise error
    wrong[error.field] = f"{error.problem} {_REMEDIES.get(error.field, error.remedy)}"
