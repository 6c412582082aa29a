"""Evidence is rounded as Python rounds, whatever numpy would make of a half."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from re2llm.knowledge.rounding import rounded
from re2llm.knowledge.sessions.evidence import EvidenceIndex
from re2llm.records import Session

NUMBERS = st.one_of(
    st.floats(0, 1e6),
    st.integers(0, 10**8).map(lambda n: n / 1000),  # every fifth lies on a half
    st.just(0.0),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_it_rounds_as_python_does(values: list[float]) -> None:
    found = rounded(np.array([values]))
    assert found.tolist() == [[round(value, 2) for value in values]]


def test_numpy_alone_would_not() -> None:
    values = np.arange(0, 100_000) / 1000
    assert (np.round(values, 2) != [round(v, 2) for v in values.tolist()]).any()


def test_evidence_has_two_places() -> None:
    sessions = [Session(("a", "b", "c"), "d", None), Session(("b", "e"), "a", None)]
    index = EvidenceIndex(list(enumerate(sessions)), ["a", "b", "c", "d", "e"])
    rows = index.of(["b", "c"], ["a", "d", "e", "unknown"])
    assert rows == [{name: round(value, 2) for name, value in row.items()} for row in rows]
    assert all(type(value) is float for row in rows for value in row.values())
    assert rows[0]["chosen_by"] == 2.0
