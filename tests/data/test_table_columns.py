"""Which columns of a user's own tables hold what, where their names alone would mislead."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from own_tables import START, loaded, log_of, table
from re2llm.data.interactions import TableOptions, TableReader
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.errors import InputError
from re2llm.records import Session

# Which column of the items holds the id


@pytest.mark.parametrize(
    ("named", "header", "rows", "expected"),
    [
        # a row number beside the product's id, which the log has
        ("product_id", "id,product_id,name", ["1,3,A", "2,1,B", "3,2,C", "4,4,D"], "BCAD"),
        ("product_id", "id,product_id,name", ["1,p1,A", "2,p2,B"], None),
        # the id is right, and another column is called as the log calls it
        ("book_id", "id,book_id,title", ["1,77,A", "2,1,B", "3,99,C", "4,98,D"], "ABCD"),
        # a column of a usual name that is blank for most
        ("book_id", "asin,book_id,title", [",1,A", "B0,2,B", ",3,C", ",4,D"], "ABCD"),
        # neither is called as in the log
        ("item_id", "id,sku,title", ["7,1,A", "8,2,B", "9,3,C", "1,4,D"], "ABCD"),
        # a usual name for an id that holds something else
        ("item_id", "id,title,product", ["1,A,x", "2,B,x", "3,C,x", "4,D,y"], "ABCD"),
        # the column of the log's name, though it lacks an item that is gone
        ("product_id", "id,product_id,name", ["1,2,B", "2,3,C", "3,4,D", "4,9,E"], "BCD"),
        ("url", "id,url,title", ["6,1,A", "7,2,B", "8,3,C", "9,4,D"], "ABCD"),
        ("item_id", "id,title", ["1.0,A", "002,B", "3,C", "4,D"], "ABCD"),
    ],
)
def test_the_column_whose_ids_the_log_has_is_the_id(
    tmp_path: Path, named: str, header: str, rows: list[str], expected: str | None
) -> None:
    ids = ["1", "2", "3", "4"] if expected else ["p1", "p2"]
    items = table(tmp_path / "items.csv", header, *rows)
    log = log_of(tmp_path, named, ids)
    given = {"item": named} if named == "url" else {}
    found, sessions, report = loaded(log, items=items, by_user=True, **given)
    titles = {item.id: item.title for item in found}
    chosen = [*sessions[0].history, sessions[0].target]
    assert "".join(titles[str(id_)] for id_ in chosen) == (expected or "AB")
    assert "; " in report.remarks[0]
    assert report.malformed == (0 if len(chosen) == len(ids) else 2)


def test_an_id_that_is_named_is_taken(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,product_id,title", "1,2,A", "2,1,B")
    log = log_of(tmp_path, "product_id", ["1", "2"])
    found, _, report = loaded(log, items=items, id="id", by_user=True)
    assert [(item.id, item.title) for item in found] == [("1", "A"), ("2", "B")]
    assert "id = id, title = title" in report.remarks[0]


def test_of_two_ids_in_a_log_the_one_that_the_items_have_is_taken(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "sku,title", "a,A", "b,B", "c,C")
    rows = [f"u,{n},{sku},{START + n}" for n, sku in enumerate("abc")]
    log = table(tmp_path / "log.csv", "user,item_id,sku,time", *rows)
    _, (session,), report = loaded(log, items=items, by_user=True)
    assert session == Session(("a", "b"), "c")
    assert "item = sku" in report.remarks[0]
    assert "id = sku" in report.remarks[0]


@pytest.mark.parametrize(
    ("header", "rows", "id_"),
    [
        ("id,sku,title", ["1,a,A", "2,b,B"], "id"),
        ("asin,book_id,title", [",7,A", "B0,8,B"], "book_id"),
        ("product_id,sku,title", ["1,a,A", "1,b,B"], "sku"),
        ("id,sku,title", ["1,,A", "1,,B"], "id"),
        ("id,sku,title", ["1,a,A", "2,b,B", "3,c,C", ",d,D", "5,e,E"], "id"),
    ],
)
def test_the_id_of_items_alone_tells_them_apart(
    tmp_path: Path, header: str, rows: list[str], id_: str
) -> None:
    for options in ({}, {"title": "title"}):
        reader = open_reader(
            "table",
            None,
            TableOptions(items=table(tmp_path / "items.csv", header, *rows), **options),
        )
        report = ReadReport()
        list(reader.items(report))
        assert f"id = {id_}, title = title" in report.remarks[0]


# Dates beside a finer time


MOMENTS: list[tuple[str, Any]] = [
    ("event_date,event_timestamp", lambda second: second * 1_000_000),
    ("eventDate,eventTimestamp", lambda second: second * 1_000),
    ("order_date,order_timestamp", lambda second: second),
    ("order_date,ts_ms", lambda second: second * 1_000),
    ("date,event_ts", lambda second: second),
    ("date,unix_timestamp", lambda second: second),
    ("date,time_ms", lambda second: second * 1_000),
    ("date,click_ts", lambda second: second),
    ("date,Event Time", lambda second: f"{datetime.fromtimestamp(second, UTC):%d/%m/%Y %H:%M:%S}"),
    ("date,created_at", lambda second: datetime.fromtimestamp(second, UTC).isoformat()),
    ("date,event_time", lambda second: f"{datetime.fromtimestamp(second, UTC):%H:%M:%S}"),
    ("event_date,server_time", lambda second: f"{datetime.fromtimestamp(second, UTC):%H:%M:%S}"),
]


def dated(folder: Path, names: str, moment: Any, day: Any = None, more: Any = None) -> Path:
    """Write a log whose rows are not in time order: a, b, c and d were chosen in turn."""
    rows = []
    for user, item in [(user, item) for item in "cadb" for user in ("ann", "bob")]:
        second = START + 3_600 * "abcd".index(item)
        date = (day or "{:%Y-%m-%d}").format(datetime.fromtimestamp(second, UTC))
        more_cells = [str(more(second))] if more else []
        rows.append(",".join([user, item, date, str(moment(second)), *more_cells]))
    return table(folder / "log.csv", f"user,item,{names}", *rows)


DAYS = [
    *("{:%Y-%m-%d}", "{:%Y%m%d}", "{:%d/%m/%Y}", "{:%Y-%m-%d} 00:00", "{:%Y-%m-%dT00:00:00.000Z}"),
    *("{:%Y-%m-%d} 00:00:00+00:00", "{:%Y-%m-%d} 00:00:00 UTC"),
    *("{:%Y-%m-%d} 00:00:00+02:00", "{:%Y-%m-%d} 00:00:00-08", "{:%Y-%m-%d} 0:00 +0530"),
    *("{:%Y-%m-%dT00:00:00.000+02:00[Europe/Berlin]}", "{:%Y-%m-%d} 00:00:00 CET"),
    *("{:%m/%d/%Y} 12:00:00 AM", "{:%a %b %d %Y} 00:00:00 GMT+0200", "{:%Y-%m-%d} 00:00:00Z"),
    *("{:%Y%m%d}T000000+0200", "{:%Y-%m-%d}T0000+0200", "{:%Y-%m-%d}+0200", "{:%Y-%m-%d}-05"),
    *("{:%d-%b-%y} 12.00.00.000000000 AM +0200", "{:%Y%m%d}T000000-0800", "{:%Y%m%d}T0000Z"),
]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(("names", "moment"), MOMENTS)
def test_a_finer_time_than_the_date_is_taken(
    tmp_path: Path, names: str, moment: Any, day: str
) -> None:
    date, finer = names.split(",")
    log = dated(tmp_path, names, moment, day)
    _, sessions, report = loaded(log)
    assert sessions == [Session(("a", "b", "c"), "d")] * 2
    assert f"time = {date} and {finer};" in report.remarks[0]
    assert (report.malformed, len(report.remarks)) == (0, 1)
    assert "order of the rows" not in report.remarks[0]
    _, sessions, report = loaded(log, time=date)
    assert sessions == [Session(("c", "a", "d"), "b")] * 2
    assert f"time = {date};" in report.remarks[0]
    assert "order of the rows" not in report.remarks[0]


@pytest.mark.parametrize(
    ("names", "moment", "more", "told"),
    [
        ("eventdate,timeframe", lambda s: s % 7_200 * 10, None, "timeframe"),  # of a session
        ("order_date,delivery_ts", lambda s: s + 7_200, None, "delivery_ts"),
        ("date,hour", lambda s: s // 3_600 % 24, None, "hour"),
        ("date,view_ts,ship_ts", lambda s: s, lambda s: s + 60, "one of view_ts, ship_ts"),
        ("date,signup_ts", lambda _: START - 9_000_000, None, None),
        ("date,load_ts", lambda _: START, None, None),  # of the whole batch
        ("date,seats", lambda s: s % 7, None, None),
        ("date,timezone", lambda _: "UTC", None, None),
    ],
)
def test_a_date_without_a_time_of_day_is_told(
    tmp_path: Path, names: str, moment: Any, more: Any, told: str | None
) -> None:
    _, sessions, report = loaded(dated(tmp_path, names, moment, more=more))
    assert sessions == [Session(("c", "a", "d"), "b")] * 2
    date = names.split(",", maxsplit=1)[0]
    hint = f" (if {told} is the time, name it as `time`)" if told else ""
    assert (
        f"time = {date}; {date} holds no time of day, so the order of the rows counts within a day"
        f"{hint};" in report.remarks[0]
    )


@pytest.mark.parametrize(
    "written",
    [
        *("20240131T100{}00Z", "20240131T100{}", "2024-01-31T1{}", "31-JAN-24 10.0{}.00.000000 AM"),
        "31 Jan 2024 {} PM",
    ],
)
def test_a_time_without_a_colon_is_a_time(tmp_path: Path, written: str) -> None:
    rows = [f"ann,{item},{written.format(item)}" for item in (3, 1, 4, 2)]
    log = table(tmp_path / "log.csv", "user,item,timestamp", *rows)
    _, sessions, report = loaded(log)
    assert sessions == [Session(("1", "2", "3"), "4")]
    assert "holds no time of day" not in report.remarks[0]


@pytest.mark.parametrize("day", DAYS)
def test_a_date_alone_is_told_in_any_notation(tmp_path: Path, day: str) -> None:
    _, sessions, report = loaded(dated(tmp_path, "date,seats", lambda s: s % 7, day))
    assert sessions == [Session(("c", "a", "d"), "b")] * 2
    assert "time = date; date holds no time of day" in report.remarks[0]


@pytest.mark.parametrize("day", ["{:%d%m%Y}", "-5"])
def test_a_date_beside_a_clock_that_cannot_be_read_is_told(tmp_path: Path, day: str) -> None:
    _, sessions, report = loaded(
        dated(tmp_path, "date,time", lambda s: f"{datetime.fromtimestamp(s, UTC):%H:%M:%S}", day)
    )
    assert (sessions, report.malformed) == ([], 8)
    assert "time = date and time;" in report.remarks[0]


@pytest.mark.parametrize("day", DAYS)
def test_a_date_of_any_zone_holds_moments_until_its_end(tmp_path: Path, day: str) -> None:
    late = START - START % 86_400 + 20 * 3_600
    times = {START + 3_600 * n: late + 600 * n for n in range(4)}
    _, sessions, report = loaded(dated(tmp_path, "date,event_ts", times.__getitem__, day))
    assert sessions == [Session(("a", "b", "c"), "d")] * 2
    assert "time = date and event_ts;" in report.remarks[0]


def test_a_number_of_midnight_is_a_date(tmp_path: Path) -> None:
    midnight = str(START - START % 86_400)
    log = dated(tmp_path, "date,event_ts", lambda s: s, midnight)
    assert loaded(log)[1] == [Session(("a", "b", "c"), "d")] * 2
    log = dated(tmp_path, "unixReviewTime,reviewTime", lambda _: '"09 13, 2020"', midnight)
    assert (
        "unixReviewTime holds no time of day, so the order of the rows counts within a day;"
        in (loaded(log)[2].remarks[0])
    )


def test_midnight_of_another_zone_is_told_as_a_date(tmp_path: Path) -> None:
    log = dated(tmp_path, "date,view_ts,ship_ts", lambda s: s, "{:%Y-%m-%d} 00:00:00-08:00", str)
    _, sessions, report = loaded(log)
    assert sessions == [Session(("c", "a", "d"), "b")] * 2
    assert "date holds no time of day" in report.remarks[0]


def test_the_time_that_fits_the_name_of_the_date_is_taken(tmp_path: Path) -> None:
    names = "order_date,delivery_ts,order_ts"
    log = dated(tmp_path, names, lambda s: 2 * START + 7_200 - s, more=lambda s: s)
    assert "time = order_date and order_ts;" in loaded(log)[2].remarks[0]


@pytest.mark.parametrize("blank", ["", "NULL", "unknown", "0000-00-00 00:00:00", "0", "-1", "1e99"])
def test_a_row_without_the_finer_time_counts_at_its_date(tmp_path: Path, blank: str) -> None:
    moments = {START + 3_600: blank}
    log = dated(tmp_path, "date,event_ts", lambda s: moments.get(s, s), more=lambda _: "x" * 9)
    rows = log.read_text().splitlines()
    filler = [f"eve,x,2024-03-{n:02},{1_709_251_200 + 86_400 * n - 7}," for n in range(1, 29)]
    log.write_text("\n".join([f"{rows[0]},note", *rows[1:], *filler]) + "\n")
    _, sessions, report = loaded(log)
    assert sessions == [Session(("b", "a", "c"), "d")] * 2
    assert report.malformed == 0
    told = "In event_ts, 2 rows have no time on their date; such rows come first on it."
    assert told in report.remarks
    log.write_text("\n".join([f"{rows[0]},note", *rows[1::2], *filler]) + "\n")
    told = "In event_ts, 1 row has no time on its date; such rows come first on it."
    assert told in loaded(log)[2].remarks


def test_a_finer_time_that_most_rows_lack_is_not_taken(tmp_path: Path) -> None:
    moments = {START + 3_600 * n: "" for n in range(3)}
    names = "date,event_ts"
    _, _, report = loaded(dated(tmp_path, names, lambda s: moments.get(s, s)))
    assert report.malformed == 0
    assert "time = date;" in report.remarks[0]


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        ("{:%Y-%m-%d}", "{:%d/%m/%Y %H:%M:%S}"),
        ("{:%Y-%m-%d}", "{:%m/%d/%Y %I:%M %p}"),
        ("{:%d/%m/%Y}", "{:%Y-%m-%dT%H:%M:%SZ}"),
        ("{:%m/%d/%Y}", "{:%s}"),
        ("{:%-d.%-m.%Y}", "{:%Y%m%d%H%M%S}"),
    ],
)
def test_of_a_date_and_a_time_one_tells_the_day_from_the_month(
    tmp_path: Path, day: str, moment: str
) -> None:
    start = datetime(2024, 3, 9, 8, 5, tzinfo=UTC)
    rows = [
        f"ann,{item},{day.format(at)},{moment.replace('%s', str(int(at.timestamp()))).format(at)}"
        for days in (0, 1)
        for item in "cadb"
        for at in [start + timedelta(days=days, hours="abcd".index(item))]
    ]
    _, sessions, report = loaded(table(tmp_path / "log.csv", "user,item,date,event_time", *rows))
    assert sessions == [Session(("a", "b", "c"), "d")] * 2
    assert report.malformed == 0


def test_where_neither_tells_the_day_from_the_month_it_is_asked(tmp_path: Path) -> None:
    rows = [f"ann,{item},09/03/2024,09/03/2024 1{n}:00" for n, item in enumerate("abcd")]
    log = table(tmp_path / "log.csv", "user,item,date,event_time", *rows)
    with pytest.raises(InputError, match="no row tells the day from the month"):
        loaded(log)


@pytest.mark.parametrize("hours", [-11, -8, -3, 0, 2, 9, 14])
@pytest.mark.parametrize("unit", [1, 1_000_000])
def test_the_date_tells_the_day_in_whichever_zone_it_is(
    tmp_path: Path, hours: int, unit: int
) -> None:
    zone = timezone(timedelta(hours=hours))
    rows = []
    for day in (1, 2):
        for item, hour in zip("dbca", (23, 9, 17, 0), strict=True):
            at = datetime(2024, 3, day, hour, 59, 59, tzinfo=zone)
            rows.append(f"ann,{item},{at:%Y%m%d},{int(at.timestamp()) * unit}")
    log = table(tmp_path / "log.csv", "user,item,event_date,event_timestamp", *rows)
    assert loaded(log)[1] == [Session(("a", "b", "c"), "d")] * 2
    chosen = Session(("a", "b", "c", "d", "a", "b", "c"), "d")
    assert loaded(log, by_user=True)[1] == [chosen]


def test_a_row_without_a_date_counts_at_its_finer_time(tmp_path: Path) -> None:
    log = dated(tmp_path, "date,event_ts", lambda s: s)
    log.write_text(log.read_text().replace("ann,b,2020-09-13", "ann,b,"))
    _, sessions, report = loaded(log)
    assert sessions == [Session(("a", "b", "c"), "d")] * 2
    assert report.malformed == 0


# Titles in the log


def bought(folder: Path, title: str, spell: Any) -> Path:
    rows = [
        f"{user},{item},{spell(user, item, place)},{START + place}"
        for user in ("ann", "bob", "cid")
        for place, item in enumerate("abcd")
    ]
    return table(folder / "log.csv", f"user,item,{title},time", *rows)


@pytest.mark.parametrize(
    ("title", "options"),
    [("title", {}), ("Description", {}), ("label", {"title": "label"})],
)
def test_titles_in_a_log_name_its_items(tmp_path: Path, title: str, options: Any) -> None:
    log = bought(tmp_path, title, lambda user, item, _: "" if user == "ann" else f"Tea {item} ")
    reader, report = TableReader(log, TableOptions(**options)), ReadReport()
    found = list(reader.items(report))
    assert [(item.id, item.title) for item in found] == [(id_, f"Tea {id_}") for id_ in "abcd"]
    assert not any(item.named or item.attributes for item in found)  # the catalogue's stay
    assert len(list(reader.sessions(report))) == 3
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    assert f"have the titles in {title}" in report.remarks[0]


@pytest.mark.parametrize(
    "spell",
    [
        lambda user, item, place: f"{user} on {item}",  # a review's headline
        lambda user, item, place: user.title(),  # the user's name
        lambda user, item, place: "Tea",
        lambda user, item, place: "view" if item in "abc" else "sale",  # a kind
        lambda user, item, place: "",
    ],
)
@pytest.mark.parametrize("title", ["title", "name"])
def test_what_names_no_item_is_not_its_title(tmp_path: Path, title: str, spell: Any) -> None:
    found, sessions, report = loaded(bought(tmp_path, title, spell))
    assert [(item.id, item.title) for item in found] == [(id_, id_) for id_ in "abcd"]
    assert len(sessions) == 3
    assert f"called by their ids (if {title} is their title, name it" in report.remarks[0]


def test_an_item_is_called_by_its_first_title(tmp_path: Path) -> None:
    names = iter(["A", "B", "C", "D", "A", "B", "C", "D", "A", "B", "C!", "D"])
    log = bought(tmp_path, "label", lambda *_: next(names))
    assert [item.title for item in loaded(log, title="label", user="user")[0]] == list("ABCD")


def test_an_item_without_a_title_is_called_by_its_id(tmp_path: Path) -> None:
    log = bought(tmp_path, "title", lambda _, item, place: "" if item == "a" else f"Tea {place}")
    assert [item.title for item in loaded(log)[0]] == ["a", "Tea 1", "Tea 2", "Tea 3"]


def test_of_a_table_with_users_and_a_named_title_the_rows_decide(tmp_path: Path) -> None:
    log = bought(tmp_path, "label", lambda _, item, __: f"Tea {item}")
    assert len(loaded(log, title="label")[1]) == 3
    items = table(tmp_path / "items.csv", "id,label,customer", "1,A,x", "2,B,y")
    found, sessions, _ = loaded(items, title="label")
    assert ([item.title for item in found], sessions) == (["A", "B"], [])


def test_a_number_of_the_rows_makes_no_items_of_a_log(tmp_path: Path) -> None:
    rows = [f"{n},u{n // 4},{n % 4},Tea {n % 4},{START + n}" for n in range(12)]
    for names in ("id,user,product_id,label,time", "id,customer,sku,label,time"):
        log = table(tmp_path / "log.csv", names, *rows)
        found, sessions, _ = loaded(log, title="label")
        assert [item.title for item in found] == [f"Tea {n}" for n in range(4)]
        assert len(sessions) == 3
    log = table(tmp_path / "items.csv", "id,sku,label,seller,user", "1,a,A,x,y", "2,b,B,x,y")
    assert loaded(log, title="label")[1] == []


@pytest.mark.parametrize(
    ("names", "options", "lacking"),
    [
        ("code,label,customer", {"title": "label"}, "id"),
        ("code,title,customer", {}, "id"),
        ("code,label,customer", {}, "id"),
        ("id,label,customer", {}, "title"),
    ],
)
def test_the_remedy_for_items_alone_names_what_is_missing(
    tmp_path: Path, names: str, options: Any, lacking: str
) -> None:
    items = table(tmp_path / "items.csv", names, "1,A,x", "2,B,y")
    with pytest.raises(InputError, match=rf"For items alone, name the column of the `{lacking}`"):
        open_reader("table", items, TableOptions(**options))
    id_, title, _ = names.split(",")
    assert len(loaded(items, id=id_, title=title)[0]) == 2


def test_an_id_needs_a_table_of_items(tmp_path: Path) -> None:
    log = bought(tmp_path, "title", lambda *_: "x")
    with pytest.raises(InputError, match=r"^id: Only a table of items has one"):
        open_reader("table", log, TableOptions(user="user", id="item"))
    with pytest.raises(InputError, match=r"^title: .* has no column 'label'"):
        open_reader("table", log, TableOptions(user="user", title="label"))


# Ids without a catalogue


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["7.0", "8.0", "10.00"], ["7", "8", "10"]),
        (["7.0", "8", "9"], ["7.0", "8", "9"]),
        (["7.0", "8.5", "9.0"], ["7.0", "8.5", "9.0"]),
        (["007", "008", "009"], ["007", "008", "009"]),
        (["1.0", "2.0", "beta"], ["1.0", "2.0", "beta"]),
    ],
)
def test_a_column_of_floats_holds_whole_numbers(
    tmp_path: Path, ids: list[str], expected: list[str]
) -> None:
    found, sessions, report = loaded(log_of(tmp_path, "item_id", ids), by_user=True)
    assert [item.id for item in found] == expected
    assert [*sessions[0].history, sessions[0].target] == expected
    assert report.malformed == 0
