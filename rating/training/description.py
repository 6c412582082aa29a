"""What a trained model's folder says about its training: the file `rater.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ...errors import InputError, reason_of
from ...llm.ratings.limits import PromptLimits
from ...runtime.plain_errors import sentence
from .config import RaterConfig

RATER_FILE = "rater.json"
"""Beside a trained model: the settings of its training, and so of its prompts."""
_LIMITS = TypeAdapter(PromptLimits)
_Checked = TypeVar("_Checked")


class _Trained(BaseModel):
    """Fingerprints, as `TrainedOn.described` writes them."""

    users: str
    ratings: str


class _Said(BaseModel):
    """What else is read of the file; what earlier versions did not write may be missing."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    scale: list[float] = [1.0, 5.0]
    trained: _Trained | None = None
    split: str = ""
    split_seed: int | None = None
    reviews: str = ""

    @field_validator("scale")
    @classmethod
    def _low_and_high(cls, scale: list[float]) -> list[float]:
        if len(scale) != 2 or not scale[0] < scale[1]:  # noqa: PLR2004  # low and high
            raise ValueError("The lowest and the highest rating are needed")
        return scale

    @field_validator("reviews")
    @classmethod
    def _with_a_split(cls, reviews: str, info: ValidationInfo) -> str:
        if reviews and not (info.data.get("split") and info.data.get("split_seed") is not None):
            raise ValueError("Their split and its seed are missing")
        return reviews


def checkpoint_description(folder: Path) -> dict[str, Any]:
    """Return the content of `rater.json`, `{}` for a model without one.

    Raises:
        InputError: There is no such folder, or the file is broken.
    """
    if not folder.is_dir():
        raise InputError("checkpoint", f"{folder} is not a folder.", "Name a model's folder.")
    note = folder / RATER_FILE
    return read_description(note) if note.is_file() else {}


def read_description(note: Path) -> dict[str, Any]:
    """Return the content of a `rater.json`, with what its training has left to the defaults.

    Settings that did not exist yet when it was written get today's defaults, by which the training
    went on.

    Raises:
        InputError: The file is broken, or from a later version of re2llm.
    """
    try:
        described: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        given: dict[str, Any] = {} | described.get("prompt", {})
        config: dict[str, Any] = {} | described.get("config", {})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            str(note), f"cannot be read ({reason_of(error)}).", "Train again into another folder."
        ) from error
    _checked(note, "", lambda: _Said.model_validate(described))
    for name in config.keys() & RaterConfig.model_fields:
        # One by one: what must fit together only matters to a training.
        one = {name: config[name]}
        _checked(note, "config.", lambda one=one: RaterConfig.model_validate(one, strict=True))
    limits = asdict(PromptLimits()) | given
    prompt = _checked(note, "prompt.", lambda: _LIMITS.validate_python(limits))
    if unknown := sorted(given.keys() - asdict(prompt).keys()):
        raise _foreign(note, f"prompt.{unknown[0]}: There is no such setting.")
    return described | {"config": RaterConfig().model_dump() | config, "prompt": asdict(prompt)}


def _checked(note: Path, within: str, check: Callable[[], _Checked]) -> _Checked:
    try:
        return check()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise _foreign(note, f"{within}{place}: {sentence(first)}") from error


def _foreign(note: Path, problem: str) -> InputError:
    return InputError(
        str(note),
        f"cannot be used: {problem}",
        "Use the version of re2llm that trained the model, or a later one.",
    )
