"""What is said of a model that fails."""

import pytest
from re2llm.errors import _FAILURES, ModelDownError, failure_among
from re2llm.llm.failures import Failure

KNOWN = set(Failure) - {Failure.UNKNOWN}


def test_every_known_kind_of_failure_has_its_words() -> None:
    assert set(_FAILURES) == {kind.value for kind in KNOWN}


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_a_kind_of_failure_is_known_again_by_its_words(kind: Failure) -> None:
    error = ModelDownError("openai:some-model", kind)
    again = ModelDownError.told(error.as_dict())
    assert (again.failure, again.as_dict()) == (kind, error.as_dict())
    assert failure_among(["model_failed", kind, "completed"]) == kind
