"""Checks the form of a request: LangGraph passes the input on unchecked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import InputError
from ..runtime.request_limits import input_error
from .state import RecommendRequest

_MOST_QUOTED = 5
_Model = TypeVar("_Model", bound=BaseModel)


def read_request(state: Mapping[str, Any], most_candidates: int) -> RecommendRequest:
    """Return the request that a state holds.

    Args:
        state: The graph's input, unchecked; a training session's candidates are as stored.
        most_candidates: The number that a request may hold.

    Raises:
        InputError: A field is missing or does not fit.
    """
    given = {name: state.get(name) for name in RecommendRequest.model_fields}
    if given["candidates"] == []:  # as forms and models fill in what is optional
        given["candidates"] = None
    request = validated(RecommendRequest, {k: v for k, v in given.items() if v is not None})
    if not request.history:
        raise InputError("history", "It is empty.", "Send at least one item id.")
    if request.candidates is not None and state.get("training_session") is None:
        check_candidates(request.candidates, most_candidates)
    return request


def validated(model: type[_Model], document: object) -> _Model:
    """Return a document as a model.

    Args:
        document: Unchecked.

    Raises:
        InputError: It does not fit. The error names the first field that does not.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise input_error(error) from error


def check_candidates(candidates: Sequence[str], most: int) -> None:
    """Make sure that there is something to rank, and not too much.

    Args:
        most: Candidates that a request may hold.

    Raises:
        InputError: There are too few or too many, or one is there twice.
    """
    if len(candidates) <= 1:
        raise InputError(
            "candidates",
            f"There is nothing to rank in a list of {len(candidates)}.",
            "Send at least two, or none to have them retrieved.",
        )
    if len(candidates) > most:
        raise InputError(
            "candidates",
            f"There are {len(candidates):,}, but a request may hold {most:,}.",
            "Send fewer, send none to have them retrieved, or raise RE2LLM_MAX_CANDIDATES.",
        )
    repeated = [item for item, count in Counter(candidates).items() if count > 1]
    if repeated:
        raise InputError("candidates", f"{quoted(repeated)} is listed twice.", "Send each once.")


def quoted(ids: Sequence[str]) -> str:
    """Quote the first few ids for a message, each cut to 40 characters."""
    more = f" and {len(ids) - _MOST_QUOTED} more" if len(ids) > _MOST_QUOTED else ""
    return ", ".join(repr(item[:40]) for item in ids[:_MOST_QUOTED]) + more
