"""Files of hints that are none."""

from __future__ import annotations

from typing import Any

import pytest
from re2llm.errors import InputError
from re2llm.operations.hints.exchange import _texts


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (5, "It must be an object."),
        ("Prefer.", "It must be an object."),
        (None, "It must be an object."),
        ({}, "hints: It is missing."),
        ({"hints": 5}, "hints: It must be a list."),
        ([5], "hints.0.text: It must be a text."),
    ],
)
def test_a_file_without_hints_is_told_where_it_is_wrong(document: Any, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        _texts(document)
    assert refused.value.problem == f"It has no list of hints. {problem}"
