"""Reading and dividing reviews: nothing of a test rating reaches its prompt or the averages."""

import json
import os
import threading
from pathlib import Path

import pytest
import re2llm
from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.errors import InputError
from re2llm.llm.ratings.prompt import PromptLimits
from re2llm.rating.corpus import RatingCorpus, ReviewSource, request_from_reviews
from re2llm.rating.request import rating_task
from re2llm.rating.reviews import ReviewHistory, read_histories, scale_of
from re2llm.rating.sample import load_products, simulate_reviews
from re2llm.rating.splits import RatingCase, ReviewSplit, split_reviews
from re2llm.records import Item, RatingScale, Review

DATA = Path(re2llm.__file__).resolve().parent.parent / "shared" / "data" / "reviews"


def write(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def review(user: str, item: str, rating: float, time: float) -> Review:
    return Review(user, Item(item, item.upper()), rating, f"{user} on {item}", time)


def history(user: str, *pairs) -> ReviewHistory:
    return ReviewHistory(user, tuple(review(user, i, r, t) for t, (i, r) in enumerate(pairs)))


def test_plain_reviews_are_grouped_by_user_and_put_in_time_order(tmp_path):
    rows = [
        {"user": "a", "item": {"id": 7, "title": "Emma", "genre": "novel"}, "rating": 4, "time": 9},
        {"user": "b", "item": "x", "rating": 2.5},
        {"user": "a", "item": "y", "rating": 1, "title": "Dull", "text": "Not mine.", "time": 3},
        {"user": "a", "item": "y", "rating": 2, "time": 4},
    ]
    report = ReadReport()
    first, second = read_histories(write(tmp_path / "r.jsonl", rows), report)
    assert not report.malformed
    assert [(r.item.id, r.rating) for r in first.reviews] == [("y", 2.0), ("7", 4.0)]
    assert first.reviews[1].item == Item("7", "Emma", {"genre": "novel"})
    assert second.user == "b"
    assert second.reviews[0].item.title == "x"


@pytest.mark.parametrize(
    "times", [[f"2024-01-0{day}" for day in (1, 2, 2, 3)], [9.1, 9.2, 9.3, 9.4]]
)
def test_reviews_say_the_same_upside_down(tmp_path, times):
    rows = [{"user": "a", "item": f"i{n}", "rating": n, "time": t} for n, t in enumerate(times)]
    for name, listed in (("up.jsonl", rows), ("down.jsonl", rows[::-1])):
        (found,) = read_histories(write(tmp_path / name, listed), ReadReport())
        assert [review.item.id for review in found.reviews] == ["i0", "i1", "i2", "i3"]


def test_dates_of_reviews_are_read_in_the_order_of_their_column(tmp_path):
    def rows(*dates):
        return [{"user": "a", "item": f"i{n}", "rating": n, "time": d} for n, d in enumerate(dates)]

    (found,) = read_histories(
        write(tmp_path / "r.jsonl", rows("2/3/2024", "31/1/2024")), ReadReport()
    )
    assert [review.item.id for review in found.reviews] == ["i1", "i0"]
    with pytest.raises(InputError, match="no row tells the day from the month"):
        read_histories(write(tmp_path / "r.jsonl", rows("2/3/2024", "3/1/2024")), ReadReport())


def test_a_pipe_is_read_once_and_whole():
    rows = [
        {"user": f"u{n % 9}", "item": f"i{n}", "rating": 3, "time": f"{n % 28 + 1}/2/2024"}
        for n in range(3_000)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    read, write_ = os.pipe()

    def give() -> None:
        with os.fdopen(write_, "wb") as pipe:
            pipe.write(text)

    giver = threading.Thread(target=give)
    giver.start()
    try:
        found = ReviewSource(path=f"/dev/fd/{read}").histories()
    finally:
        os.close(read)
        giver.join()
    assert sum(len(history.reviews) for history in found) == 3_000
    first = [review.item.id for review in found[0].reviews[:3]]
    assert first == ["i0", "i252", "i504"]  # all of the first day


def test_a_review_without_a_time_among_others_with_one_is_left_out(tmp_path):
    rows = [
        {"user": "a", "item": "x", "rating": 1, "time": 1_700_000_005},
        {"user": "a", "item": "y", "rating": 2, "time": None},
        {"user": "a", "item": "z", "rating": 3, "time": 1_700_000_001},
        {"user": "b", "item": "x", "rating": 4},
        {"user": "b", "item": "y", "rating": 5},
    ]
    report = ReadReport()
    found = read_histories(write(tmp_path / "r.jsonl", rows), report)
    assert [[r.item.id for r in one.reviews] for one in found] == [["z", "x"], ["x", "y"]]
    assert (report.malformed, report.first_malformed[0].line) == (1, 2)
    assert "has no time" in report.first_malformed[0].reason


@pytest.mark.parametrize("text", [["Witty."], 5, "Wit\0ty."])
def test_a_text_that_cannot_be_read_is_counted(tmp_path, text):
    report = ReadReport()
    row = {"user": "a", "item": "x", "rating": 1, "text": text}
    (found,) = read_histories(write(tmp_path / "r.jsonl", [row]), report)
    assert found.reviews[0].text == ""
    assert report.warnings == 1


def test_amazon_histories_end_with_the_held_out_review(tmp_path):
    def entry(asin, rating, time):
        return {
            "parent_asin": asin,
            "rating": rating,
            "timestamp_ms": time,
            "review_title": "Fine",
            "review_full": "Fine<br />indeed",
            "product": {"title": f"Product {asin}", "brand": None, "main_category": "All"},
        }

    row = {
        "user_id": "u",
        "category": "Books",
        "history": [entry("a", 5.0, 1000), entry("b", 3.0, 2000)],
        "heldout": entry("c", 1.0, 1500),
    }
    (read,) = read_histories(write(tmp_path / "a.jsonl", [row]), ReadReport())
    assert [r.item.id for r in read.reviews] == ["a", "b", "c"]
    assert read.reviews[0] == Review(
        "u", Item("a", "Product a", {"category": "Books"}), 5.0, "Fine indeed", 1.0
    )


@pytest.mark.parametrize(
    "row",
    [
        [1],
        {"user": "a", "item": "x"},
        {"user": "a", "item": "x", "rating": "5"},
        {"user": "a", "item": "x", "rating": True},
        {"user": "a", "item": "x", "rating": -3.5},
        {"user": "a", "item": "x", "rating": float("nan")},
        {"user": "a", "item": {"title": "no id"}, "rating": 1},
        {"item": "x", "rating": 1},
        {"user": "a", "item": "x", "rating": 1, "time": "noon"},
        {"user_id": "a", "history": "none"},
        {"user_id": "a", "history": [{"rating": 1}]},
    ],
)
def test_malformed_rows_are_reported_with_their_line(tmp_path, row):
    good = {"user": "a", "item": "x", "rating": 1}
    report = ReadReport()
    read = read_histories(write(tmp_path / "r.jsonl", [good, row]), report)
    assert len(read) == 1
    assert report.malformed == 1
    assert report.first_malformed[0].line == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"business_id": "b", "user_id": "u", "stars": 4}, "has no item (it has 'business_id'"),
        ({"reviewerID": "u", "asin": "b", "overall": 4.0}, "has no user (it has 'reviewerID'"),
        ({"user": "u", "item": {"asin": "b"}, "rating": 4}, "item has no id (it has 'asin')"),
        ({"user": "u", "item": "b", "stars": 4}, "has no rating (it has 'user', 'item', 'stars')"),
    ],
)
def test_a_row_of_other_keys_is_told_which_it_has(tmp_path, row, said):
    report = ReadReport()
    read_histories(write(tmp_path / "r.jsonl", [row]), report)
    assert report.first_malformed[0].reason.startswith(said)


def test_keys_may_be_capitalised(tmp_path):
    row = {"User": "u", "Item": {"ID": 3, "Title": "Tea"}, "Rating": 4, "Time": 1_700_000_000}
    report = ReadReport()
    (found,) = read_histories(write(tmp_path / "r.jsonl", [row]), report)
    assert (found.user, found.reviews[0].item) == ("u", Item("3", "Tea"))
    assert found.reviews[0].time == 1_700_000_000
    assert not report.notes


@pytest.mark.parametrize("extra", [{}, {"year": 1995}])
def test_attributes_of_a_reviewed_item_are_read_as_those_of_a_catalogue(tmp_path, extra):
    item = {"id": "b", "title": "Emma", "attributes": {"kind": "novel", "by": ["Austen"]}, **extra}
    (found,) = read_histories(
        write(tmp_path / "r.jsonl", [{"user": "u", "item": item, "rating": 4}]), ReadReport()
    )
    assert found.reviews[0].item.attributes == {"kind": "novel", "by": ["Austen"], **extra}
    (read,) = JsonlReader(write(tmp_path / "items.jsonl", [item])).items(ReadReport())
    assert read == found.reviews[0].item


@pytest.mark.parametrize("attributes", ["novel", ["novel"], {"genre": "novel"}])
def test_attributes_that_cannot_be_read_are_malformed(tmp_path, attributes):
    item = {"id": "b", "genre": "tale", "attributes": attributes}
    report = ReadReport()
    read_histories(write(tmp_path / "r.jsonl", [{"user": "u", "item": item, "rating": 4}]), report)
    assert report.malformed == 1


def test_ratings_that_a_later_one_replaces_are_counted(tmp_path):
    rows = [{"user": u, "item": i, "rating": 2} for u in "ab" for i in "xyxzx"]
    report = ReadReport()
    read = read_histories(write(tmp_path / "r.jsonl", rows), report)
    assert [len(history.reviews) for history in read] == [3, 3]
    (note,) = report.notes
    assert "the same item again later (and in 3 more rows)" in note
    assert (report.malformed, report.warnings) == (0, 1)
    fine = ReadReport()
    read_histories(
        write(tmp_path / "r.jsonl", [row | {"item": n} for n, row in enumerate(rows)]), fine
    )
    assert not fine.notes


def test_last_review_is_left_out_and_never_known():
    split = split_reviews([history("a", ("x", 5), ("y", 4), ("z", 1)), history("b", ("z", 3))])
    assert [(c.review.user, c.review.item.id) for c in split.test] == [("a", "z")]
    assert [c.review.item.id for c in split.train] == ["y"]
    assert {(r.user, r.item.id) for r in split.known} == {("a", "x"), ("a", "y"), ("b", "z")}
    task = RatingCorpus(split, RatingScale(1, 5), PromptLimits()).task(split.test[0])
    assert task.user_mean == 4.5
    assert task.item_mean == 3.0
    assert [r.user for r in task.item_reviews] == ["b"]


def test_a_test_review_is_hidden_in_the_users_other_histories_too():
    first = history("a", ("x", 5), ("y", 4), ("z", 1))
    second = history("a", ("z", 1), ("v", 2), ("w", 2), ("u", 3))
    split = split_reviews([first, second])
    hidden = {("a", "z"), ("a", "u")}
    assert not hidden & {(r.user, r.item.id) for r in split.known}
    for case in (*split.train, *split.test):
        assert not hidden & {(r.user, r.item.id) for r in case.history}


def test_held_out_users_train_nothing():
    histories = simulate_reviews(40)
    split = split_reviews(histories, "users", share=0.25, seed=3)
    tested = {case.review.user for case in split.test}
    assert len(tested) == 10
    assert not tested & {case.review.user for case in split.train}
    truths = {(case.review.user, case.review.item.id) for case in split.test}
    assert not truths & {(r.user, r.item.id) for r in split.known}
    assert {c.review.user for c in split_reviews(histories, "users", seed=4).test} != tested


def test_a_case_never_shows_its_own_review():
    known = (review("a", "x", 1, 0), review("b", "x", 5, 1))
    corpus = RatingCorpus(ReviewSplit(known, (), ()), RatingScale(1, 5), PromptLimits())
    task = corpus.task(RatingCase((), known[0]))
    assert [r.user for r in task.item_reviews] == ["b"]
    assert task.item_mean == 5.0
    assert task.user_mean is None


def test_nothing_to_divide_is_refused():
    with pytest.raises(InputError, match="reviews"):
        split_reviews([history("a", ("x", 5), ("y", 4))])
    with pytest.raises(InputError, match="share"):
        split_reviews([history("a", ("x", 5), ("y", 4))], "users", share=1.0)
    with pytest.raises(InputError, match="different ratings"):
        scale_of([history("a", ("x", 5), ("y", 5))])


def test_scale_comes_from_the_data():
    assert scale_of([history("a", ("x", 0.5), ("y", 10))]) == RatingScale(0.5, 10)


@pytest.mark.parametrize("scale", [RatingScale(0, 4.33), RatingScale(0.33, 4.33)])
def test_a_rating_that_is_read_makes_a_request_on_the_same_scale(tmp_path, scale):
    ratings = (0.3333, 1.3333, 4.3333)
    rows = [
        {"user": user, "item": f"i{n}", "rating": rating}
        for user in ("u", "v")
        for n, rating in enumerate(ratings)
    ]
    path = write(tmp_path / "r.jsonl", rows)
    histories = read_histories(path, report := ReadReport(), scale)
    assert not report.notes
    task = rating_task(request_from_reviews(histories, "u", "i0", scale).model_dump())
    assert [review.rating for review in task.history] == [1.3333, 4.3333]
    assert task.scale == scale
    read_histories(write(path, [{**rows[0], "rating": 4.336}]), report, scale)
    assert "is not between" in report.notes[0]


def test_sample_corpus_is_repeatable_and_grows_without_changing():
    small, large = simulate_reviews(5, seed=2), simulate_reviews(8, seed=2)
    assert large[:5] == small
    assert simulate_reviews(5, seed=3) != small
    for person in large:
        ids = [r.item.id for r in person.reviews]
        assert len(set(ids)) == len(ids) >= 5
        assert all(r.rating in {1, 2, 3, 4, 5} and r.text for r in person.reviews)
    assert len({product.id for product in load_products()}) == 40


def test_sample_people_differ_so_that_their_means_help():
    import numpy as np
    from re2llm.rating.baselines import global_mean, user_mean

    split = split_reviews(simulate_reviews(240))
    pairs = [(case.review.user, case.review.item.id) for case in split.test]
    truths = np.array([case.review.rating for case in split.test])
    scale = RatingScale(1, 5)
    errors = [
        np.abs(predict(split.known, pairs, scale, 0) - truths).mean()
        for predict in (user_mean, global_mean)
    ]
    assert errors[0] < errors[1] - 0.1


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the reviews under {DATA}")
def test_amazon_reviews_are_read_whole():
    report = ReadReport()
    histories = read_histories(DATA / "train.jsonl", report)
    assert (len(histories), report.malformed) == (469, 0)
    assert scale_of(histories) == RatingScale(1, 5)
    split = split_reviews(histories)
    known = {(r.user, r.item.id) for r in split.known}
    assert not known & {(c.review.user, c.review.item.id) for c in split.test}


@pytest.mark.parametrize(
    ("key", "unit"),
    [("time", 1), ("timestamp", 1), ("timestamp", 1000), ("time", 1000), ("time", 10**6)],
)
def test_newest_first_under_any_key_and_unit_holds_out_the_newest(tmp_path, key, unit):
    rows = [
        {"user": "u", "item": f"b{n}", "rating": n, key: (1_600_000_000 + n) * unit}
        for n in reversed(range(5))
    ]
    report = ReadReport()
    (read,) = read_histories(write(tmp_path / "r.jsonl", rows), report)
    assert [r.item.id for r in read.reviews] == ["b0", "b1", "b2", "b3", "b4"]
    assert read.reviews[0].time == 1_600_000_000
    assert (report.malformed, report.warnings) == (0, 0)


@pytest.mark.parametrize("moment", ["2020-09-13", "2020-09-13T00:00:00Z", "1599955200"])
def test_dates_of_reviews_are_read(tmp_path, moment):
    row = {"user_id": "u", "item_id": "b", "rating": 3, "timestamp": moment}
    (read,) = read_histories(write(tmp_path / "r.jsonl", [row]), ReadReport())
    assert read.reviews[0].time == 1_599_955_200


def test_keys_that_mean_nothing_are_counted(tmp_path):
    rows = [
        {"user": "u", "item": {"id": n, "images": [{}]}, "rating": n, "date": "today", "x": None}
        for n in range(4)
    ]
    report = ReadReport()
    read_histories(write(tmp_path / "r.jsonl", rows), report)
    assert [note.partition(": ")[2] for note in report.notes] == [
        "ignored 'date' (and in 3 more rows)",
    ]


@pytest.mark.parametrize("field", ["text", "title", "user", "item"])
def test_half_an_emoji_in_a_review_is_replaced(tmp_path, field):
    row = {"user": "u", "item": "b", "rating": 3, "text": "t", "title": "h", field: "cut \ud83d"}
    (read,) = read_histories(write(tmp_path / "r.jsonl", [row]), ReadReport())
    (only,) = read.reviews
    said = {"text": only.text, "title": only.text, "user": only.user, "item": only.item.id}
    assert "cut \ufffd" in said[field]


def test_half_an_emoji_in_a_nested_fact_of_a_reviewed_item_is_replaced(tmp_path):
    item = {"id": "b", "details": {"brand": "\ud83d"}}
    row = {"user": "u", "item": item, "rating": 3}
    (read,) = read_histories(write(tmp_path / "r.jsonl", [row]), ReadReport())
    assert read.reviews[0].item.attributes == {"details.brand": "\ufffd"}


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"price": None, "year": 1815, "genres": ["novel"], "ok": True}, {"year", "genres", "ok"}),
        ({"details": {"brand": "Tin", "size": {"box": 2}}}, {"details.brand", "details.size.box"}),
        ({"images": [{"thumb": "t"}], "year": 1815}, {"year"}),
        ({"genres": [], "note": " ", "details": {}}, set()),
        (None, set()),
        ({"tags": ["a", None, 3]}, {"tags"}),
        *(({"deep": json.loads("[" * depth + "]" * depth)}, set()) for depth in (300, 900)),
        *(({"deep": json.loads("[" * depth + "0" + "]" * depth)}, set()) for depth in (400, 900)),
    ],
)
def test_a_request_may_hold_null_and_nested_attributes(attributes, kept):
    review = {"title": "A \ud83d", "rating": "4", "text": None, "attributes": attributes}
    task = rating_task({"item": {"title": "Emma", "attributes": attributes}, "history": [review]})
    assert set(task.item.attributes) == kept
    assert set(task.history[0].item.attributes) == kept
    assert (task.history[0].text, task.history[0].item.title) == ("", "A \ufffd")
