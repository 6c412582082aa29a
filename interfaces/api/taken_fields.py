"""Which fields a body takes at a place, to name them where another one is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from starlette.types import Scope


def body_of(scope: Scope) -> Any:
    """Return the type of the body that a request's route takes, or `None`."""
    body = getattr(scope.get("route"), "body_field", None)
    return None if body is None else body.field_info.annotation


def taken_fields(body: Any, place: Sequence[int | str]) -> list[str]:
    """Return the fields that a body takes beside one that it does not.

    Args:
        body: Its type, or `None`.
        place: Where in it the field was sent.
    """
    models = list(_models(body))
    for name in place[:-1]:
        inner = [model.model_fields[name] for model in models if name in model.model_fields]
        if inner:  # else it is a place in a list, or a name that pydantic gives to a type
            models = [model for field in inner for model in _models(field.annotation)]
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
