"""Strict JSON of a request: no NaN, no infinity, not too deep, no key twice; 3.0 is 3."""

from __future__ import annotations

from typing import Any

import orjson

from ..errors import InputError
from .json_sizes import fault_of
from .large_numbers import TOO_LARGE, place_of_large_number
from .repeated_keys import repeated_key
from .whole_numbers import with_whole_numbers


def strict_document(body: bytes) -> Any:
    """Return a JSON document.

    Args:
        body: As it was sent.

    Raises:
        JSONDecodeError: It is none; a `ValueError`.
        InputError: It is too deep or too large, which is told of the field `body`, or has a number
            that is too large, or a key twice.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if TOO_LARGE not in error.msg:
            raise
        raise InputError(
            place_of_large_number(body),
            "The number is too large.",
            "Send ids of so many digits as texts.",
        ) from None
    problem = fault_of(document)
    if problem:
        raise InputError("body", problem, "")
    key = repeated_key(body, document)
    if key is not None:
        problem = f"An object has the key {key!r} more than once."
        raise InputError(key, problem, "Send each key once.")
    return with_whole_numbers(document)
