"""Requests made from the API's own OpenAPI document, good ones and bad ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture.utils import many
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

EXAMPLES = 25


def more(elements: Any) -> bool:
    """Whether there is another element, as `hypothesis-jsonschema` still asks."""
    if not hasattr(elements, "steps"):
        elements.__enter__()
        elements.steps = iter(elements)
    return next(elements.steps, elements) is None


@pytest.fixture(autouse=True)
def old_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(many, "more"):
        monkeypatch.setattr(many, "more", more, raising=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_request_brings_the_server_down(address: str, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{address}/openapi.json")
    tried: set[str] = set()

    def check(case: schemathesis.Case) -> None:
        answer = case.call()
        case.validate_response(answer, checks=[not_a_server_error])
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]
            assert not re.search(r"Traceback|psycopg|sqlalchemy", answer.text)
        tried.add(case.operation.label)

    for found in document.get_all_operations():
        strategy = found.ok().as_strategy(generation_mode=mode)
        try:
            _settings(given(strategy)(check))()
        except Unsatisfiable:  # nothing about such a request can be wrong
            assert mode == GenerationMode.NEGATIVE
    assert len(tried) >= 14


_settings = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
