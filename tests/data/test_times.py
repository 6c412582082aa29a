"""Moments as data sets write them: counts of any unit, and dates."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from re2llm.data.day_order import day_first_in, in_order
from re2llm.data.malformed import RowError
from re2llm.data.times import is_doubtful, seconds, timestamp
from re2llm.errors import InputError

NOON = 1_588_615_855


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        float(NOON),
        NOON * 1_000,
        NOON * 1_000_000,
        NOON * 1_000_000_000,
        str(NOON),
        f" {NOON}000 ",
        f"{NOON}.0",
        "1.588615855e9",
        "2020-05-04T18:10:55Z",
        "2020-05-04 18:10:55",
        "2020-05-04 18:10:55 UTC",
        "2020-05-04T20:10:55+02:00",
        "2020-05-04T20:10:55+02:00[Europe/Berlin]",
        *("2020-5-4 18:10:55", "2020/5/4 18:10:55", "2020.05.04 18:10:55"),
        *("4-May-2020 18:10:55", "04/May/2020:18:10:55 +0000", "4 May 2020 18:10:55"),
        *(20200504181055, "20200504181055", 20200504181055.0, f"{NOON},0", Decimal(NOON)),
        dt.datetime(2020, 5, 4, 18, 10, 55),  # noqa: DTZ001  # as Parquet files hold them
        dt.datetime(2020, 5, 4, 18, 10, 55, tzinfo=dt.UTC),
    ],
)
def test_every_way_to_write_a_moment_is_the_same_moment(value: object) -> None:
    assert timestamp(value, "time") == NOON


@pytest.mark.parametrize(
    "written",
    [
        *("4-May-2020 06:10:55 PM", "4 May 2020 6:10:55pm", "04-MAY-20 06.10.55.000000 PM"),
        *("May 4, 2020, 6:10:55 p.m.", "Monday, May 4th, 2020 at 6:10:55 PM UTC"),
        *("2020-05-04 06:10:55 PM", "2020/5/4 6:10:55 pm", "4 May 2020 18:10:55.000"),
        *("Mon May 04 2020 13:10:55 GMT-0500 (EST)", "Mon May 4 2020 20:10:55 GMT+2"),
        *("Mon May 04 2020 20:10:55 GMT+0200 (Central European Summer Time)",),
        *("Mon May 04 11:10:55 -0700 2020", "Mon May  4 18:10:55 2020"),
        *("Mon May  4 18:10:55 UTC 2020", "Mon May 04 20:10:55 CEST 2020"),
        *("Mon, 04 May 2020 18:10:55 GMT", "Mon, 04 May 20 13:10:55 CDT", "18:10:55 4 May 2020"),
        *("Tue May 05 04:10:55 AEST 2020", "Tue May 05 05:10:55 AEDT 2020"),
        *(
            "Mon May 4 2020 18:10:55 (UTC)",
            "2020-05-04 18:10:55 (GMT)",
            "4 May 2020 20:10:55 (CEST)",
        ),
        *("Mon May 04 23:40:55 +0530 IST 2020", "2020-05-04 23:40:55 +05:30 IST"),
        *("MON, 04 MAY 2020 18:10:55 UTC", "2020-05-04 13:10:55 -0500 CDT"),
        *("2020-05-04 13:10:55 -0500", "2020-05-04 13:10:55 CDT", "04/May/2020:13:10:55 -0500"),
    ],
)
def test_a_date_is_read_to_its_last_word(written: str) -> None:
    assert timestamp(written, "time") == NOON


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        *(("5 Jan 2024 12:00 AM", 0), ("5 Jan 2024 12:30 PM", 12), ("5 Jan 2024 10 PM", 22)),
        *(("Jan 5, 2024", 0), ("2024-01-05 9:05", 9), ("5-Jan-2024 11:59:59 AM", 11)),
    ],
)
def test_halves_of_the_day_count(written: str, hour: int) -> None:
    assert seconds(written, "time") // 3600 == 1_704_412_800 // 3600 + hour


@pytest.mark.parametrize(
    "written",
    [
        *("5 Jan 2024 22:00 PM", "5 Jan 2024 0:30 AM", "2024-01-05 13:00 PM"),
        *("5 Jan 2024 10:00 uhr", "5 Jan 2024 10:00 -0500 CEST", "5 Jan 2024 10:00 (evening)"),
        *("5 Jan 2024 10:00 11:00", "5 Jan Feb 2024 10:00", "5 6 7 Jan 2024", "Jan 2024"),
        *("5 Jan 2024 25:00", "31 Feb 2024 10:00", "5 Jan 2024 10:00 +9900"),
        *("5 Jan 2024 10:00 EST -0500", "2024-01-05 10:00 soon", "5 Jan 2024 10:00 PM PM"),
    ],
)
def test_a_word_that_means_nothing_in_a_date_refuses_it(written: str) -> None:
    with pytest.raises(RowError, match="year first"):
        seconds(written, "time")


@pytest.mark.parametrize("zone", ["IST", "BST", "ET", "(IST)"])
@pytest.mark.parametrize(
    "form",
    [
        *("Fri Jan 05 10:00:00 {} 2024", "5 Jan 2024 10:00 PM {}", "2024-01-05 10:00:00 {}"),
        "SUN, 05 MAY 2024 10:00 {}",
    ],
)
def test_a_zone_that_is_not_known_is_told(form: str, zone: str) -> None:
    name = zone.strip("()")
    with pytest.raises(RowError, match=rf"zone that is not known: {name}; write its offset, such"):
        seconds(form.format(zone), "time")
    assert seconds(form.format("+05:30"), "time") == seconds(form.format("Z"), "time") - 19_800


@pytest.mark.parametrize(
    "moment",
    [
        lambda n: NOON + n / 1000,
        lambda n: Decimal(NOON) + Decimal(n) / 1000,
        lambda n: NOON * 10**3 + n,
        lambda n: NOON * 10**6 + n,
        lambda n: NOON * 10**9 + n * 1000,
        *(lambda n, f=form: f.format(n) for form in (f"{NOON}.{{:03}}", f"{NOON},{{:03}}")),
        *(lambda n, f=form: f.format(n) for form in (f"{NOON}{{:03}}", f"{NOON}{{:06}}000")),
        lambda n: dt.datetime(2020, 5, 4, 18, 10, 55, n * 1000, tzinfo=dt.UTC),
        lambda n: f"2020-05-04T18:10:55.{n:03}Z",
        lambda n: f"2020-05-04 18:10:55,{n:03}",
        lambda n: in_order(f"04/05/2020 18:10:55.{n:03}", day_first=True),
        lambda n: in_order(f"04/05/2020 6:10:55,{n:03} pm", day_first=True),
        lambda n: 20200504181055000 + n,
        lambda n: 20200504181055 + n / 100,
        *(lambda n, p=point: f"20200504181055{p}{n:03}" for point in ("", ".", ",")),
    ],
)
def test_parts_of_a_second_are_kept_in_order(moment) -> None:
    """Down to microseconds; the second is that of the whole number."""
    times = [timestamp(moment(n), "time") for n in range(5)]
    assert sorted(set(times)) == times
    assert {int(time) for time in times} == {NOON}


@pytest.mark.parametrize("value", [20200504, "20200504", "2020-05-04", dt.date(2020, 5, 4)])
def test_a_date_is_its_first_second(value: object) -> None:
    assert seconds(value, "time") == 1_588_550_400


def test_a_whole_number_may_be_a_date_to_the_minute() -> None:
    assert seconds(202005041810, "time") == NOON - 55
    assert seconds(202005049910, "time") == 202_005_049.91  # there is no hour 99


@pytest.mark.parametrize("value", [2020050418, "2020050418", 2020050418.0, Decimal(2020050418)])
def test_a_whole_number_may_be_a_date_to_the_hour(value: object) -> None:
    assert seconds(value, "time") == NOON - NOON % 3600


@pytest.mark.parametrize("value", [2020050499, 2020059910, 2020050418.5])
def test_a_number_that_is_no_hour_is_seconds(value: float) -> None:
    assert seconds(value, "time") == value


@pytest.mark.parametrize("value", [0, 3, 0.5, 964_982_703, 19_701_399])
def test_other_small_numbers_are_seconds(value: float) -> None:
    assert seconds(value, "time") == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "2020-13-01",
        "2020-5/4",
        "4-Mai-2020",
        Decimal("NaN"),
        True,
        [],
        float("nan"),
        float("inf"),
        10**23,
        10**400,
        "9" * 40,
        f"31 Jan{' ' * 200}2024",
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(RowError, match="time"):
        seconds(value, "time")


@pytest.mark.parametrize("value", [-1, "-1", "1969-12-31", -NOON * 1000])
def test_interactions_are_not_older_than_1970(value: object) -> None:
    with pytest.raises(RowError, match="1970"):
        timestamp(value, "time")


FILE = Path("log.csv")


@pytest.mark.parametrize(
    ("column", "day_first"),
    [
        (["03/04/2024", "31/01/2024"], True),
        (["03/04/2024", "01/31/2024"], False),
        (["", None, "3.4.2024", "31.1.2024 10:00"], True),
        (["5/5/2024"], False),  # the same in both
        (["2024-01-31", "03/04/2024"], None),
        ([NOON, "03/04/2024"], None),
        (["yesterday"], None),
        ([], None),
    ],
)
def test_a_day_beyond_12_tells_the_order_of_a_column(
    column: list[object], day_first: bool | None
) -> None:
    assert day_first_in(FILE, column) is day_first


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (["03/04/2024", "05/05/2024"], "'03/04/2024', and no row tells"),
        (["31/01/2024", "01/31/2024"], "'31/01/2024'.*month first"),
    ],
)
def test_a_column_that_may_be_read_in_two_ways_is_refused(column: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        day_first_in(FILE, column)


@pytest.mark.parametrize(
    ("written", "day_first"),
    [
        ("4/5/2020 18:10:55", True),
        ("05/04/2020 6:10:55 PM", False),
        ("04.05.2020, 18:10:55", True),
        ("04-05-2020T18:10:55.123", True),
    ],
)
def test_a_date_that_ends_in_its_year_is_read(written: str, day_first: bool) -> None:
    assert int(timestamp(in_order(written, day_first=day_first), "time")) == NOON
    with pytest.raises(RowError, match="year first"):
        timestamp(in_order(written, day_first=None), "time")


@pytest.mark.parametrize("written", ["31/13/2024", "30/02/2024", "1/1/2024 13:00 PM", "1/2-2024"])
def test_a_date_that_does_not_exist_is_refused(written: str) -> None:
    with pytest.raises(RowError, match=written):
        timestamp(in_order(written, day_first=True), "time")


@pytest.mark.parametrize(
    ("latest", "doubtful"),
    [
        ("1970-02-18", True),  # a day's number in Excel, as seconds
        ("1990-03-25", True),  # ticks of .NET
        ("1995-06-01", True),  # seconds since 2001
        ("1998-04-22", False),  # MovieLens 100K
        ("2024-01-31", False),
        ("2034-02-27", True),
    ],
)
def test_a_log_of_the_wrong_years_is_doubted(latest: str, *, doubtful: bool) -> None:
    assert is_doubtful(timestamp(latest, "time")) == doubtful
