"""Checks what programs pass to the methods of a `Re2llm` object, by the methods' own annotations.

Programs have no schema that would do so, and what reaches the database unchecked fails there, far
from its cause.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from ..errors import InputError
from ..rating.request import RatingRequest, refuse_unknown_keys
from ..records import Session
from ..runtime.request_limits import LARGEST_COUNT, LARGEST_KEY, input_error

_Class = TypeVar("_Class", bound=type)
_Check = Callable[[Any, str], Any]

_IDS = frozenset({"history", "candidates", "titles", "item", "items", "picked", "user"})
"""Parameters that name items or people: many data sets have ids that are whole numbers."""
_KEYS = frozenset({"hint", "hints", "release", "max_llm_calls"})
"""Parameters that are numbers of stored things, or are stored as such a number."""
_NO_LISTS = (str, bytes, bytearray, Mapping)
"""Types that can be iterated over but are no lists."""


def checks_arguments(cls: _Class) -> _Class:
    """Have each coroutine method of a class check its arguments, inherited ones included."""
    for name, method in inspect.getmembers(cls, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            setattr(cls, name, _checked(method))
    return cls


def _checked(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    signature = inspect.signature(method)
    checks = {
        name: CHECKS[parameter.annotation]
        for name, parameter in signature.parameters.items()
        if parameter.annotation in CHECKS and parameter.kind is not parameter.VAR_KEYWORD
    }

    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        for name in checks.keys() & given.arguments.keys():
            given.arguments[name] = checks[name](given.arguments[name], name)
        return await method(*given.args, **given.kwargs)

    return call


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if name in _IDS and not isinstance(value, bool) and isinstance(value, Integral):
        return str(int(value))
    raise _misfit(value, name, "a text")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _misfit(value, name, "a whole number")
    number = int(value)
    if abs(number) > (LARGEST_KEY if name in _KEYS else LARGEST_COUNT):
        raise InputError(name, "The number is too large.", "Give a smaller one.")
    if number < 0 and name != "seed":
        raise InputError(name, "The number is below 0.", "Give a larger one.")
    return number


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _misfit(value, name, "a number")
    return float(value)


def _flag(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _misfit(value, name, "True or False")


def _path(value: Any, name: str) -> Path:
    if isinstance(value, str | os.PathLike):
        return Path(cast("str | os.PathLike[str]", value))
    raise _misfit(value, name, "a path")


def _path_or_sessions(value: Any, name: str) -> Path | list[Session]:
    if isinstance(value, str | os.PathLike):
        return _path(value, name)
    return _several(_session, (), "a path or a list of sessions")(value, name)


def _session(value: Any, name: str) -> Session:
    if isinstance(value, Session):
        return value
    raise _misfit(value, name, "a path or a list of sessions")


def _rating_request(value: Any, name: str) -> RatingRequest:
    if isinstance(value, RatingRequest):
        return value
    if not isinstance(value, Mapping):
        raise _misfit(value, name, "a RatingRequest")
    try:
        request = RatingRequest.model_validate(value)
    except ValidationError as error:
        raise input_error(error) from None
    refuse_unknown_keys(cast("Mapping[str, Any]", value))
    return request


def _or_none(check: _Check) -> _Check:
    return lambda value, name: None if value is None else check(value, name)


def _several(check: _Check, alone: tuple[type, ...], what: str) -> _Check:
    """Take any iterable, once; a value of some types is a list of one."""

    def listed(value: Any, name: str) -> list[Any]:
        if isinstance(value, alone):
            return [check(value, name)]
        if not isinstance(value, Iterable) or isinstance(value, _NO_LISTS):
            raise _misfit(cast("object", value), name, what)
        return [check(one, name) for one in cast("Iterable[Any]", value)]

    return listed


def _misfit(value: object, name: str, what: str) -> InputError:
    kind = type(value).__name__
    return InputError(name, f"A value of the type {kind} does not fit.", f"Give {what}.")


_texts = _several(_text, (str, Integral), "a list of texts")
CHECKS: Mapping[str, _Check] = MappingProxyType(
    {
        "str": _text,
        "str | None": _or_none(_text),
        "int": _whole,
        "int | None": _or_none(_whole),
        "float | None": _or_none(_number),
        "bool": _flag,
        "bool | None": _or_none(_flag),
        "Path | None": _or_none(_path),
        "Sequence[str]": _texts,
        "Sequence[str] | None": _or_none(_texts),
        "Sequence[int]": _several(_whole, (), "a list of whole numbers"),
        "Sequence[Path]": _several(_path, (str, os.PathLike), "a list of paths"),
        "Path | Sequence[Session]": _path_or_sessions,
        "RatingRequest": _rating_request,
    }
)
"""Returns a fitting argument or raises an `InputError`, by its annotation."""
