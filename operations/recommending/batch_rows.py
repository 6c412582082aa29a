"""A row of a batch: what it asks, why it cannot be used, and whom it is about."""

from __future__ import annotations

import hashlib
import json
import re

from ...data.request_rows import RequestRow
from ...errors import InputError
from ...runtime.options import RunOptions
from ...runtime.request_limits import LONGEST_USER

_VERB = re.compile(r"(is|has|holds|gives) ")
_FIELD = re.compile(r"(history|candidates|user)\b")
"""Arguments that a row gives; the others come from the run."""
_DIGITS = 16


def request_of(row: RequestRow, options: RunOptions, k: int) -> str:
    """Return a digest of what a row asks; answers carry it, so that a resumed run can compare.

    Args:
        row: The row, with its number and key.
        options: The run's options. Its catalogue and policy count, wherever they are set.
        k: Items in an answer.
    """
    asked = [options.domain, options.policy, k, row.number, row.key, row.history, row.candidates]
    text = json.dumps([*asked, row.field, row.problem])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def fault_of(row: RequestRow) -> InputError:
    """Return why a row cannot be used, with the field of it that is at fault."""
    if row.missing:
        remedy = "Give `history`, a list of ids or titles; docs/files.md has the keys."
        return InputError(row.field, f"The row has no {row.field}.", remedy)
    said = row.problem
    said = f"It {said}" if _VERB.match(said) else said[:1].upper() + said[1:]
    return InputError(row.field, f"{said}.", "See docs/files.md.")


def is_of_row(error: InputError) -> bool:
    """Return whether an error is about what a row gives, so that other rows may go well."""
    return _FIELD.match(error.field) is not None


def person_of(row: RequestRow) -> str | None:
    """Return the row's key as the name of a person, which may be shorter."""
    if row.key is None or len(row.key) <= LONGEST_USER:
        return row.key
    return hashlib.sha256(row.key.encode()).hexdigest()
