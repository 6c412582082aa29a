"""What is said of a model that fails."""

import pickle
from collections.abc import Callable, Iterator

import pytest
from re2llm.errors import (
    _CLASSES,
    _FAILURES,
    Failure,
    InputError,
    ModelDownError,
    Re2llmError,
    ReleaseModeMisfitError,
    error_from,
    failure_among,
    is_retried,
)
from re2llm.operations.releases.rollouts import NoRolloutError


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


def classes(top: type[Re2llmError]) -> Iterator[type[Re2llmError]]:
    yield top
    for one in top.__subclasses__():
        yield from classes(one)


OURS = [one for one in classes(Re2llmError) if one.__module__.startswith("re2llm.")]
DOWN = "openai:Meta Llama 3"
MADE = {
    **{
        one.__name__: one("field", "It is wrong.", "Do this.")
        for one in OURS
        if one is not ModelDownError
    },
    "model": ModelDownError(DOWN),
    "model, quoted": ModelDownError(DOWN, Failure.DENIED, "No account at http://10.0.3.7. Ask."),
    "model that rates": ModelDownError(DOWN, Failure.TOO_LONG, "8192 at most.", rates=True),
}
WAYS: dict[str, Callable[[Re2llmError], Re2llmError]] = {
    "answer": lambda error: error_from(error.as_dict()),
    "process": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301
}


def test_a_document_of_an_error_says_nothing_but_what_is_documented() -> None:
    known = {"kind", "field", "problem", "remedy", "class", "failure", "model", "said"}
    for error in MADE.values():
        document = error.as_dict()
        assert set(document) <= known
        assert all(isinstance(value, str) for value in document.values())
    misfit = MADE["ReleaseModeMisfitError"]
    assert isinstance(misfit, ReleaseModeMisfitError)
    assert misfit.other_mode
    assert error_from(misfit.as_dict()).as_dict()["class"] == "ReleaseModeMisfitError"


def test_every_class_has_a_case() -> None:
    assert {type(error) for error in MADE.values()} == set(OURS)
    assert NoRolloutError in OURS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", MADE)
def test_an_error_arrives_as_what_it_was(case: str, way: str) -> None:
    error = MADE[case]
    for one in (error, error.adding("Some is done.")):
        again = WAYS[way](one)
        assert type(again) is type(one)
        assert (str(again), vars(again), again.as_dict()) == (str(one), vars(one), one.as_dict())
        assert is_retried(again) == is_retried(one)


@pytest.mark.parametrize("case", MADE)
def test_a_remark_changes_only_the_problem(case: str) -> None:
    error = MADE[case]
    before = dict(vars(error))
    told = error.adding("Some is done.")
    assert type(told) is type(error)
    assert vars(told) == {**before, "problem": f"{error.problem} Some is done."}
    assert str(told) == f"{error.field}: {error.problem} Some is done. {error.remedy}"
    assert vars(error) == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", [case for case in MADE if case.startswith("model")])
def test_without_the_providers_words_the_rest_stays(case: str, way: str) -> None:
    error = MADE[case]
    assert isinstance(error, ModelDownError)
    again = WAYS[way](error.adding("Some is done."))
    assert isinstance(again, ModelDownError)
    bare = again.unquoted()
    assert (bare.model, bare.failure, bare.remedy) == (DOWN, error.failure, error.remedy)
    assert bare.problem.startswith(f"{DOWN} ")
    assert bare.problem.endswith(". Some is done.")
    assert error.said.rstrip(".") not in str(bare.as_dict()) or not error.said


def test_the_kind_alone_tells_the_class_of_an_older_answer() -> None:
    texts = {"field": "field", "problem": "It is wrong.", "remedy": "Do this."}
    for error in MADE.values():
        again = error_from({"kind": error.kind, **texts})
        assert (again.kind, type(again)) == (error.kind, _CLASSES[error.kind])
    assert type(error_from({**texts, "kind": "input", "class": "NoSuchError"})) is InputError
    assert type(error_from({**texts, "kind": "new"})) is Re2llmError


def test_an_older_answer_loses_the_words_of_the_provider_too() -> None:
    problem = "openai:x refuses the key. It said: Bad key of org-ACME at 10.0.3.7."
    texts = {"field": "model", "problem": problem, "remedy": "Check the key."}
    again = error_from({"kind": "model", "failure": "denied", **texts})
    assert isinstance(again, ModelDownError)
    assert again.unquoted().problem == "openai:x refuses the key."
