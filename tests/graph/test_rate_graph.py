"""The `rate` graph: a rating always comes out, flagged where it is not the model's."""

import asyncio
import uuid
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.graph.rate import build_graph, graph
from re2llm.llm.ratings.prompt import rating_messages
from re2llm.rating.request import rating_task
from re2llm.rating.traces import trace_rating
from re2llm.records import RatingScale
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context

REQUEST: dict[str, Any] = {
    "item": {"title": "The River Keeper", "attributes": {"kind": "book"}},
    "history": [
        {"title": "Star Farm", "rating": 4, "text": "Clever."},
        {"title": "The Salt Road", "rating": 5},
    ],
    "item_reviews": [{"rating": 3, "text": "Long."}],
}
GOOD = "<analyze user>u</analyze user><analyze item>i</analyze item><match>m</match><rate>2</rate>"


async def test_offline_model_rates_with_its_reasoning(services):
    answer = await graph.ainvoke(REQUEST)
    assert answer["valid"]
    assert answer["rating"] == 4
    assert answer["flags"] == []
    assert answer["error"] is None
    assert answer["model"] == "offline"
    assert answer["llm_calls"] == 1
    assert "The River Keeper" in answer["reasoning"]["analyze_item"]
    assert "4.5" in answer["reasoning"]["match"]
    assert answer["reasoning"]["rate"] == "4"


async def test_an_unknown_key_that_holds_nothing_is_passed_over(services):
    item = {**REQUEST["item"], "year": None, "tags": (), "more": {}}
    history = tuple({**review, "id": "", "review": None} for review in REQUEST["history"])
    reviews = [{**review, "user": "null"} for review in REQUEST["item_reviews"]]
    answer = await graph.ainvoke({"item": item, "history": history, "item_reviews": reviews})
    assert answer["error"] is None
    assert answer["reasoning"] == (await graph.ainvoke(REQUEST))["reasoning"]


async def test_an_unknown_key_that_says_something_is_refused(services):
    history = tuple({**review, "review": "Long."} for review in REQUEST["history"])
    answer = await graph.ainvoke({**REQUEST, "history": history})
    assert answer["error"]["field"] == "history.0.review"


async def test_the_prompt_is_the_one_of_training(script):
    name, model = script(lambda _: GOOD)
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    (asked,) = model.asked
    expected = rating_messages(rating_task(REQUEST))
    assert [(m.type, m.content) for m in asked] == [(m.type, m.content) for m in expected]
    assert answer["rating"] == 2
    assert answer["reasoning"] == {
        "analyze_user": "u",
        "analyze_item": "i",
        "match": "m",
        "rate": "2",
    }


async def test_a_loose_answer_counts_but_is_not_valid(script):
    name, model = script(lambda _: "I would say: rating 3.5")
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert (answer["rating"], answer["valid"]) == (3.5, False)
    assert answer["flags"] == ["wrong_format"]
    assert len(model.asked) == 1


async def test_nonsense_is_asked_again_once(script):
    name, model = script(lambda messages: GOOD if len(messages) > 2 else "Nice weather.")
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert answer["rating"] == 2
    assert not answer["valid"]
    assert answer["flags"] == ["wrong_format", "repaired"]
    assert answer["llm_calls"] == len(model.asked) == 2


@pytest.mark.parametrize(
    ("changes", "rating"),
    [
        ({}, 4.5),
        ({"history": []}, 3.0),
        ({"history": [], "item_reviews": []}, 3.0),
        ({"user_mean": 2.25}, 2.25),
    ],
)
async def test_a_model_that_never_rates_falls_back_to_the_means(script, changes, rating):
    name, _ = script(lambda _: "Nice weather.")
    answer = await graph.ainvoke({**REQUEST, **changes}, context=Context(model=name))
    assert answer["rating"] == rating
    assert not answer["valid"]
    assert answer["flags"] == ["wrong_format", "fallback"]
    assert answer["reasoning"]["rate"] == ""


ENDS = [(1 / 3, 14 / 3), (0.125, 4.875), (1.005, 1.995), (0.0, 4.6666666)]


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("scale", ENDS)
@pytest.mark.parametrize("said", ["Nice weather.", None])
async def test_a_rating_is_always_on_the_scale(script, adjust, scale, end, said):
    """Fallbacks, parsed ratings and means of samples, which are rounded."""
    adjust(rate_samples=1 if said else 2, temperature=1.0)
    name, _ = script(lambda _: said or GOOD.replace(">2<", f">{round(scale[end], 2)}<"))
    request = {"item": {"title": "x"}, "history": [{"title": "y", "rating": scale[end]}]}
    request |= {"lowest": scale[0], "highest": scale[1]}
    answer = await graph.ainvoke(request, context=Context(model=name))
    assert scale[0] <= answer["rating"] <= scale[1]
    assert answer["rating"] == pytest.approx(scale[end], abs=0.006)
    assert answer["valid"] == (said is None)


def saying(rating: float) -> str:
    return GOOD.replace("<rate>2<", f"<rate>{rating:g}<").replace(">m<", f">why {rating:g}<")


async def test_samples_are_averaged_and_the_nearest_gives_its_reasons(script, adjust):
    adjust(rate_samples=4, temperature=1.0)
    answers = iter([saying(5), "Nice weather.", saying(2), saying(3)])
    name, model = script(lambda _: next(answers))
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert answer["rating"] == 3.33
    assert answer["reasoning"]["match"] == "why 3"
    assert (answer["valid"], answer["flags"]) == (True, [])
    assert answer["llm_calls"] == len(model.asked) == 4


async def test_samples_without_a_rating_are_repaired_once(script, adjust):
    adjust(rate_samples=3, temperature=1.0)
    name, model = script(lambda messages: GOOD if len(messages) > 2 else "Nice weather.")
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert (answer["rating"], answer["flags"]) == (2, ["wrong_format", "repaired"])
    assert len(model.asked) == 4


async def test_samples_need_a_temperature(script, adjust):
    adjust(rate_samples=3)
    name, model = script(lambda _: GOOD)
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert answer["error"]["field"] == "RE2LLM_RATE_SAMPLES"
    assert "RE2LLM_TEMPERATURE" in answer["error"]["remedy"]
    assert not model.asked


async def test_no_sample_goes_on_once_the_budget_is_spent(services, adjust):
    adjust(rate_samples=3, temperature=1.0)
    ended: list[str] = []

    class Slow(BaseChatModel):
        _llm_type = "slow"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            raise NotImplementedError

        async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            raise AssertionError

    name = f"slow-{uuid.uuid4().hex[:8]}"
    services.models.register(name, Slow())
    answer = await graph.ainvoke(
        REQUEST, context=Context(model=name, budget=Budget(max_llm_calls=1))
    )
    assert answer["error"]["kind"] == "budget"
    assert ended == ["cancelled"]


async def test_a_model_that_is_down_still_ends_in_a_rating(script):
    def down(_):
        raise ConnectionError

    name, _ = script(down)
    answer = await graph.ainvoke(REQUEST, context=Context(model=name))
    assert answer["rating"] == 4.5
    assert answer["flags"] == ["model_failed", "connection", "fallback"]
    assert answer["error"] is None


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("item", {"item": None}),
        ("item.title", {"item": {"title": ""}}),
        ("history", {"history": [{"title": "x", "rating": 9}]}),
        ("history.0.rating", {"history": [{"title": "x"}]}),
        ("history.0.rating", {"history": [{"title": "x", "rating": True}]}),
        ("item_reviews.0.rating", {"item_reviews": [{"rating": False}]}),
        ("user_mean", {"user_mean": True}),
        ("item.year", {"item": {"title": "x", "year": 1815}}),
        ("history.0.review", {"history": [{"title": "x", "rating": 4, "review": "Dull."}]}),
        ("item_mean", {"item_mean": 0}),
        ("highest", {"lowest": 5, "highest": 5}),
        ("lowest", {"lowest": -10, "highest": 10}),
    ],
)
async def test_a_bad_request_comes_back_with_its_field(services, field, changes):
    answer = await graph.ainvoke({**REQUEST, **changes})
    assert answer["error"]["field"] == field
    assert answer["error"]["remedy"]
    assert answer["rating"] is None


async def test_another_scale_is_respected(services):
    request = {"item": {"title": "x"}, "history": [{"title": "y", "rating": 9}], "highest": 10}
    answer = await graph.ainvoke(request)
    assert answer["rating"] == 9


async def test_a_refused_request_takes_back_the_threads_last_answer(services):
    own = build_graph()
    own.checkpointer = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    assert (await own.ainvoke(REQUEST, thread))["rating"] == 4
    refused = await own.ainvoke({**REQUEST, "lowest": 9, "highest": 1}, thread)
    assert refused["error"]
    kept = {key: value for key, value in refused.items() if value}
    assert kept.keys() == {"error"}


async def test_a_thread_keeps_nothing_of_the_last_request(services):
    own = build_graph()
    own.checkpointer = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    await own.ainvoke({**REQUEST, "history": [{"title": "x", "rating": 0}]}, thread)
    answer = await own.ainvoke({"item": {"title": "Cup"}, "highest": 9}, thread)
    assert answer["error"] is None
    assert answer["rating"] == 5
    assert "no" in answer["reasoning"]["analyze_user"].lower()


def test_the_input_schema_serves_a_form():
    schema = graph.get_input_jsonschema()
    assert set(schema["properties"]) >= {"item", "history", "item_reviews", "user_mean"}
    assert schema["required"] == ["item"]


async def test_traces_are_kept_if_right_and_rewritten_if_wrong(script):
    task = rating_task(REQUEST)
    messages = rating_messages(task)
    three = GOOD.replace("2</rate>", "3</rate>")

    name, model = script(lambda asked: three if len(asked) > 2 else GOOD)
    options = await resolve_context(Context(model=name))
    aligned = await trace_rating(messages, 2.0, task.scale, options)
    assert (aligned.outcome, aligned.answer, aligned.llm_calls) == ("aligned", GOOD, 1)
    rewritten = await trace_rating(messages, 3.0, task.scale, options)
    assert (rewritten.outcome, rewritten.answer, rewritten.llm_calls) == ("rewritten", three, 2)
    assert "3" in model.asked[-1][-1].text
    assert not any("fact rated" in m.text for m in model.asked[0])
    rejected = await trace_rating(messages, 5.0, task.scale, options)
    assert rejected.outcome == "rejected"


async def test_a_trace_is_right_if_the_rating_is_the_one_that_the_teacher_is_shown(script):
    scale = RatingScale(1 / 3, 14 / 3)
    messages = rating_messages(rating_task({**REQUEST, "lowest": 0, "highest": 10}))
    name, _ = script(lambda asked: GOOD.replace("2</rate>", "2.67</rate>"))
    options = await resolve_context(Context(model=name))
    assert (await trace_rating(messages, 8 / 3, scale, options)).outcome == "aligned"
    assert (await trace_rating(messages, 2.68, scale, options)).outcome == "rejected"
    name, _ = script(
        lambda asked: GOOD.replace("2</rate>", "4.67</rate>") if len(asked) > 2 else GOOD
    )
    options = await resolve_context(Context(model=name))
    assert (await trace_rating(messages, scale.high, scale, options)).outcome == "rewritten"
