"""Bodies of HTTP: a number is a number and a truth value is one, and no key comes twice."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any, get_args

import orjson
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from re2llm.interfaces.api.application import create_app
from re2llm.interfaces.api.requests import RateBody, StrictBody
from re2llm.interfaces.repeated_keys import repeated_key
from re2llm.interfaces.whole_numbers import with_whole_numbers
from re2llm.runtime.plain_errors import sentence
from re2llm.runtime.request_limits import input_error

WRONG: dict[type, list[object]] = {
    int: [True, "1", 1.5],
    float: [True, "1"],
    bool: [1, 0, "true", "yes"],
    str: [True],  # an id may be a number
}


def named_in(annotation: Any) -> Iterator[type]:
    """Yield the classes that an annotation consists of."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from named_in(inner)


def with_parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and those that its fields consist of."""
    yield model
    for field in model.model_fields.values():
        for found in named_in(field.annotation):
            if issubclass(found, BaseModel):
                yield from with_parts(found)


def taken() -> Iterator[type[BaseModel]]:
    """Yield every model that a route takes as its body."""
    for route in create_app().routes:
        if isinstance(route, APIRoute) and route.body_field is not None:
            for found in named_in(route.body_field.field_info.annotation):
                if issubclass(found, BaseModel):
                    yield found


BODIES = sorted({*taken(), *StrictBody.__subclasses__()}, key=lambda model: model.__name__)
PARTS = sorted({part for body in BODIES for part in with_parts(body)}, key=lambda m: m.__name__)
FIELDS = [
    (part, name, kind)
    for part in PARTS
    for name, field in part.model_fields.items()
    if name != "attributes"  # whose values are of several kinds
    for kind in WRONG
    if kind in named_in(field.annotation)
]


def test_all_bodies_are_found() -> None:
    assert len(BODIES) > 15
    assert {"RecommendBody", "JobBody", "_Past"} <= {part.__name__ for part in PARTS}
    assert {kind for _, _, kind in FIELDS} == WRONG.keys()


@pytest.mark.parametrize(("model", "name", "kind"), FIELDS)
def test_no_field_takes_a_value_of_another_kind(
    model: type[BaseModel], name: str, kind: type
) -> None:
    as_list = "list[" in str(model.model_fields[name].annotation)
    for wrong in WRONG[kind]:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({name: [wrong] if as_list else wrong})
        assert name in {error["loc"][0] for error in caught.value.errors()}, wrong


SENT: list[object] = [
    *(None, True, -1, 0, 1.5, 10**20, -1e300, float("nan"), "", "x", "x" * 200_000, "\ud800"),
    *([], [[]], [None] * 20_000, {}, {"x": {"y": 1}}, [{"x": 1}], {1: 2}),
]
_SENTENCE = re.compile(
    r"It (?:must|may) \S.*\.|It is \S.*\.|It holds characters that are no text\.|"
    r"There is no such field\.|The number is too large\.|Its keys must be texts\."
)


@pytest.mark.parametrize("model", PARTS)
def test_what_does_not_fit_is_told_in_plain_sentences(model: type[BaseModel]) -> None:
    for sent in SENT:
        for body in ({**dict.fromkeys(model.model_fields, sent), "top": sent}, sent):
            try:
                model.model_validate(body)
            except ValidationError as refused:
                for error in refused.errors(include_url=False, include_context=False):
                    told = sentence(error)
                    assert _SENTENCE.fullmatch(told), (error["type"], told)
                    assert not re.search(r"[Ii]nput|\bvalid\b|string|dictionary|should", told), told
                    of_text = isinstance(error["input"], str)
                    assert not (of_text and re.search(r"\bitems?\b", told)), told


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": {"b": [{"c": 1, "d": 2, "c": 3}]}}', "c"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"": 1, "": 2}', ""),
        ('{"a": "b:c", "d": 1, "a": 2}', "a"),
        ('{"a": 1, "a": 2, "n": ' + "9" * 5_000 + "}", "a"),
        ('{"' + "k" * 100 + '": 1, "' + "k" * 100 + '": 2}', "k" * 40),
        ('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}', None),
        ('{"a": "\\"a\\": 1, \\"a\\": 2", "b": ":::"}', None),
        ('{"a:": "a:", "a": ' + "9" * 5_000 + "}", None),
        ('["a", "a", ":"]', None),
        ('":"', None),
    ],
)
def test_a_key_that_comes_twice_is_found(body: str, key: str | None) -> None:
    read = json.loads(body, parse_int=float)
    assert repeated_key(body.encode(), read) == key


def test_a_large_body_is_searched_in_no_time() -> None:
    document = {"requests": [[{"a": ":" * 60, "b": 1}] * 400 for _ in range(100)]}
    body = orjson.dumps(document)
    began = time.thread_time()
    assert repeated_key(body, document) is None
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"k": 3.0, "seed": 7.0, "history": ["1.0"]}, {"k": 3, "seed": 7, "history": ["1.0"]}),
        (
            [[-0.0, 1.5, 1e1], {"a": {"b": [2.0, True, None]}}],
            [[0, 1.5, 10], {"a": {"b": [2, True, None]}}],
        ),
        (4.0, 4),
        (1e300, 1e300),
    ],
)
def test_whole_numbers_are_integers_however_a_client_writes_them(body: Any, read: Any) -> None:
    found = with_whole_numbers(json.loads(json.dumps(body)))
    assert json.dumps(found) == json.dumps(read)


def test_truth_values_among_the_attributes_of_an_item_to_rate_are_numbers() -> None:
    item = {"title": "Tea", "attributes": {"sold": True, "size": {"big": False}, "price": 2.5}}
    read = RateBody.model_validate({"item": item}).item
    assert read.attributes == {"sold": 1, "size.big": 0, "price": 2.5}
    assert not any(isinstance(value, bool) for value in read.attributes.values())


class Whole(StrictBody):
    seed: int


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1e20, "The number is too large."),
        (-1e20, "The number is too large."),
        (2.0**53, "The number is too large."),
        (1.5, "It must be a whole number."),
        ("1e20", "It must be a whole number."),
    ],
)
def test_a_whole_number_that_is_too_large_is_not_called_broken(number: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate({"seed": number})
    assert sentence(refused.value.errors()[0]) == said
    assert input_error(refused.value).problem == said


def test_an_input_that_is_no_object_is_named_as_a_whole() -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate(5)
    assert str(input_error(refused.value)).startswith("input: It must be an object.")
