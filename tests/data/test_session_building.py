"""Day sessions, user order and session files."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from re2llm import records
from re2llm.data.day_sessions import (
    DatedSession,
    Rating,
    day_sessions,
    in_user_order,
    is_grouped,
    user_sessions,
)
from re2llm.data.malformed import ReadReport
from re2llm.data.session_file import read_sessions
from re2llm.errors import InputError
from re2llm.records import Session

DATA = Path(records.__file__).resolve().parents[1] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data sets in {DATA}")


def at(day: int, hour: int = 0, second: int = 0) -> int:
    return int(datetime(2006, 10, day, hour, 0, second, tzinfo=UTC).timestamp())


def rated(user: str, items: str, *, day: int) -> list[Rating]:
    return [Rating(user, item, at(day, second=place)) for place, item in enumerate(items)]


# --- day sessions ---


def test_a_day_of_more_than_three_is_a_session_whose_last_item_is_the_target() -> None:
    found = list(day_sessions(rated("u", "abcd", day=1) + rated("u", "efg", day=2)))
    assert found == [DatedSession(at(1, second=3), Session(("a", "b", "c"), "d"))]


def test_days_are_those_of_utc() -> None:
    late = [Rating("u", item, at(1, 23, second)) for second, item in enumerate("ab", start=50)]
    early = [Rating("u", item, at(2, 0, second)) for second, item in enumerate("cd")]
    assert not list(day_sessions(late + early))
    assert len(list(day_sessions(late + early, longer_than=1))) == 2


def test_items_come_in_time_order_and_ties_keep_theirs() -> None:
    rows = [
        Rating("u", item, at(1, hour)) for item, hour in zip("xbacy", (9, 5, 5, 5, 1), strict=True)
    ]
    (found,) = day_sessions(rows)
    assert found.session == Session(("y", "b", "a", "c"), "x")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_follows_itself_counts_once(times: int) -> None:
    once = rated("u", "abcad", day=1)
    log = [row for row in once for _ in range(times)]
    repeats: list[None] = []
    found = [*day_sessions(log, on_repeat=lambda: repeats.append(None))]
    assert found == [*day_sessions(once)]
    assert found[0].session == Session(("a", "b", "c", "a"), "d")
    assert len(repeats) == len(log) - len(once)
    assert [*user_sessions(log)] == [*user_sessions(once)] == [found[0].session]


def test_four_rows_of_two_items_are_no_session() -> None:
    assert not [*day_sessions(rated("u", "aabb", day=1))]
    assert [*user_sessions(rated("u", "aaa", day=1))] == []


def test_a_user_in_two_places_is_refused_and_can_be_regrouped() -> None:
    rows = rated("u", "ab", day=1) + rated("v", "abcd", day=1) + rated("u", "cd", day=1)
    with pytest.raises(InputError, match=r"'u' are in two places.*in_user_order"):
        list(day_sessions(rows))
    assert not is_grouped(row.user for row in rows)
    assert len(list(day_sessions(in_user_order(rows)))) == 2


def test_a_session_needs_a_history() -> None:
    with pytest.raises(InputError, match="longer_than"):
        list(day_sessions([], longer_than=0))


def test_building_streams_one_user_at_a_time() -> None:
    pulled = 0

    def endless():
        nonlocal pulled
        for user in range(10**9):
            for row in rated(str(user), "abcd", day=1):
                pulled += 1
                yield row

    next(day_sessions(endless()))
    assert pulled <= 5


ratings = st.lists(
    st.builds(
        Rating,
        user=st.sampled_from("uvw"),
        item=st.sampled_from("abcdef"),
        timestamp=st.integers(0, 3 * 86_400),
    ),
    max_size=60,
)


@given(ratings)
def test_every_long_day_becomes_one_session_and_no_other(rows: list[Rating]) -> None:
    last: dict[str, Rating] = {}
    days = Counter[tuple[str, int]]()
    for row in sorted(rows, key=lambda row: row.timestamp):  # sorting keeps the order of equals
        day, before = row.timestamp // 86_400, last.get(row.user)
        known = before is not None and (before.item, before.timestamp // 86_400) == (row.item, day)
        days[row.user, day] += not known
        last[row.user] = row
    wanted = sorted(size for size in days.values() if size > 3)
    found = [dated.session for dated in day_sessions(in_user_order(rows))]
    assert sorted(len(session.history) + 1 for session in found) == wanted


@given(ratings)
def test_regrouping_is_a_stable_sort_by_first_appearance(rows: list[Rating]) -> None:
    first = list(dict.fromkeys(row.user for row in rows))
    assert list(in_user_order(rows)) == sorted(rows, key=lambda row: first.index(row.user))


# --- session files ---


def sessions_of(path: Path, *lines: object, known: set[str] | None = None):
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines))
    report = ReadReport()
    return list(read_sessions(path, report, known=known)), report


def test_both_forms_of_a_session_are_read(tmp_path: Path) -> None:
    found, report = sessions_of(
        tmp_path / "s.jsonl",
        {"history": [1, "2"], "target": 3, "candidates": [3, 4]},
        {"history": ["a"], "target": None, "candidates": None},
        {"history": ["a"], "target": None, "candidates": ["b", "c"]},
        {"history": ["a", "a"]},
        [7, 7, 8],
    )
    assert found == [
        Session(("1", "2"), "3", ("3", "4")),
        Session(("a",)),
        Session(("a",), None, ("b", "c")),
        Session(("a", "a")),
        Session(("7", "7"), "8"),
    ]
    assert (report.malformed, report.warnings) == (0, 0)
    assert report.bytes_read == (tmp_path / "s.jsonl").stat().st_size


def test_repeated_candidates_are_dropped_with_a_warning(tmp_path: Path) -> None:
    found, report = sessions_of(
        tmp_path / "s.jsonl", {"history": [1], "target": 3, "candidates": [4, 3, 5, 3, 4]}
    )
    assert found[0].candidates == ("4", "3", "5")
    assert (report.malformed, report.warnings) == (0, 1)
    assert report.first_warnings[0].place.endswith("s.jsonl:1")


def test_a_key_that_means_nothing_earns_a_warning(tmp_path: Path) -> None:
    found, report = sessions_of(tmp_path / "s.jsonl", {"history": [1], "canditates": [1, 2]})
    assert found == [Session(("1",))]
    assert "canditates" in report.first_warnings[0].reason


def test_an_unknown_key_is_one_warning_with_a_count(tmp_path: Path) -> None:
    rows = [{"history": [1], "time": n, **({"device": 1} if n % 2 else {})} for n in range(5)]
    found, report = sessions_of(tmp_path / "s.jsonl", *rows)
    assert (len(found), report.warnings) == (5, 2)
    assert [note.partition(": ")[2] for note in report.notes] == [
        "ignored 'time' (and in 4 more rows)",
        "ignored 'device' (and in 1 more row)",
    ]


@pytest.mark.parametrize("key", [r'"a\ud83d"', r'"\ude00"'])
def test_half_an_emoji_in_an_id_is_replaced(tmp_path: Path, key: str) -> None:
    (found,), report = sessions_of(tmp_path / "s.jsonl", f"[{key}, 1]")
    assert found.history[0].endswith("\ufffd")
    assert report.malformed == 0


MALFORMED = {
    '{"history": [1], "target"': "not JSON",
    "hello": "not JSON",
    "3": "neither an object nor a list",
    "null": "neither an object nor a list",
    "[1]": "fewer than two",
    "[]": "fewer than two",
    "[1, true]": "neither text nor a whole number",
    "[1, 2.5]": "neither text nor a whole number",
    "[1, [2]]": "neither text nor a whole number",
    '[1, " "]': "blank",
    r'["a\u0000b", 1]': "cannot be stored",
    "[1, NaN]": "NaN",
    "[" * 100_000: "too deep",
    f'{{"history": [1, {"[" * 900}"half"{"]" * 900}]}}': "neither text nor a whole number",
    rf'{{"history": [1, {"[" * 900}"\ud83d"{"]" * 900}]}}': "neither text nor a whole number",
    "[" + "1" * 5000 + ", 2]": "too large",
    '{"target": 1}': "no history",
    '{"history": [], "target": 1}': "history is empty",
    '{"history": null}': "not a list",
    '{"history": "12"}': "not a list",
    '{"history": [1], "history": [2]}': "key twice",
    '{"history": [1], "target": false}': "neither text nor a whole number",
    '{"history": [1], "target": 2, "candidates": [3, 4]}': "target '2' is not among",
    '{"history": [1], "target": 2, "candidates": [2, 2]}': "fewer than two different",
    '{"history": [1], "target": 2, "candidates": []}': "fewer than two different",
    '{"history": [1], "target": 2, "candidates": {"2": 3}}': "not a list",
}


@pytest.mark.parametrize(("line", "reason"), MALFORMED.items(), ids=[x[:40] for x in MALFORMED])
def test_a_malformed_session_is_reported_and_left_out(
    tmp_path: Path, line: str, reason: str
) -> None:
    found, report = sessions_of(tmp_path / "s.jsonl", [1, 2], line, [3, 4])
    assert found == [Session(("1",), "2"), Session(("3",), "4")]
    assert report.malformed == 1
    with pytest.raises(
        InputError, match=rf"s\.jsonl:2: .*{reason}.*1 malformed row in all"
    ) as error:
        report.raise_if_malformed()
    assert "\n" not in str(error.value)


def test_an_unknown_item_is_malformed(tmp_path: Path) -> None:
    found, report = sessions_of(
        tmp_path / "s.jsonl",
        [1, 2],
        [1, 9],
        [9, 1],
        {"history": [1], "target": 2, "candidates": [2, 9]},
        known={"1", "2"},
    )
    assert found == [Session(("1",), "2")]
    assert [note.line for note in report.first_malformed] == [2, 3, 4]
    assert "item '9' is not in the catalogue" in report.first_malformed[0].reason


def test_many_malformed_rows_are_counted_and_the_first_ten_listed(tmp_path: Path) -> None:
    _, report = sessions_of(tmp_path / "s.jsonl", *["no"] * 25)
    with pytest.raises(InputError) as error:
        report.raise_if_malformed()
    message = str(error.value)
    assert message.count("is not JSON") == 10
    assert "and 15 more. 25 malformed rows in all." in message
    assert "`skip_malformed`" in message


@pytest.mark.long
@needs_data
@pytest.mark.parametrize(
    ("file", "sessions", "repeats"),
    [
        ("hetrec2011/sessions_authors_train.jsonl", 500, 3),
        ("hetrec2011/sessions_train.jsonl", 2194, 12),
        ("hetrec2011/sessions_test.jsonl", 1000, 7),
        ("games/sessions_train.jsonl.gz", 41_848, 0),
        ("games/sessions_valid.jsonl", 1000, 0),
    ],
)
def test_the_real_session_files_are_read_whole(file: str, sessions: int, repeats: int) -> None:
    report = ReadReport()
    found = list(read_sessions(DATA / file, report))
    assert (len(found), report.malformed, report.warnings) == (sessions, 0, repeats)
    assert report.bytes_read == (DATA / file).stat().st_size
    assert all(session.target is not None for session in found)


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_bytes(gzip.compress(b"[1, 2]\n[3, 4]\n"))
    report = ReadReport()
    assert len(list(read_sessions(tmp_path / "s.jsonl", report))) == 2
    assert report.bytes_read == (tmp_path / "s.jsonl").stat().st_size
