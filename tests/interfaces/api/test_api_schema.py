"""Requests made from the API's own OpenAPI document, good ones and bad ones."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_schema = schemathesis.pytest.from_fixture("document")


@pytest.fixture(scope="session")
def document(address: str) -> object:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


@_schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_brings_the_server_down(case: schemathesis.Case) -> None:
    answer = case.call()
    case.validate_response(answer, checks=[not_a_server_error])
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"]
        assert not re.search(r"Traceback|psycopg|sqlalchemy", answer.text)
