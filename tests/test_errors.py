"""What is said of a model that fails."""

import pickle

import pytest
from re2llm.errors import (
    _FAILURES,
    BudgetSpentError,
    DatabaseError,
    Failure,
    HintsFullError,
    InputError,
    InternalError,
    ModelDownError,
    error_from,
    failure_among,
)


def test_every_known_kind_of_failure_has_its_words() -> None:
    assert set(_FAILURES) == set(Failure)


@pytest.mark.parametrize("kind", list(Failure))
def test_an_answer_carries_the_kind_of_failure_as_data(kind: Failure) -> None:
    error = ModelDownError("openai:some-model", kind)
    again = error_from(error.as_dict())
    assert isinstance(again, ModelDownError)
    assert (again.failure, again.as_dict()) == (kind, error.as_dict())
    passed = pickle.loads(pickle.dumps(error))  # noqa: S301  # as from one process to another
    assert (type(passed), passed.as_dict()) == (ModelDownError, error.as_dict())
    assert failure_among(["model_failed", kind, "completed"]) == kind


@pytest.mark.parametrize(
    "kind", [InputError, DatabaseError, BudgetSpentError, HintsFullError, InternalError]
)
def test_an_answer_carries_the_class_of_its_error(kind: type) -> None:
    error = kind("field", "It is wrong.", "Do this.")
    again = error_from(error.as_dict())
    assert type(again) is kind
    assert again.as_dict() == error.as_dict()
    assert str(again) == str(error)
