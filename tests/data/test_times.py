"""Moments as data sets write them: counts of any unit, and dates."""

import datetime as dt

import pytest
from re2llm.data.malformed import RowError
from re2llm.data.times import seconds, timestamp

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
        dt.datetime(2020, 5, 4, 18, 10, 55),  # noqa: DTZ001  # as Parquet files hold them
        dt.datetime(2020, 5, 4, 18, 10, 55, tzinfo=dt.UTC),
    ],
)
def test_every_way_to_write_a_moment_is_the_same_moment(value: object) -> None:
    assert timestamp(value, "time") == NOON


@pytest.mark.parametrize("value", [20200504, "20200504", "2020-05-04", dt.date(2020, 5, 4)])
def test_a_date_is_its_first_second(value: object) -> None:
    assert seconds(value, "time") == 1_588_550_400


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
        True,
        [],
        float("nan"),
        float("inf"),
        10**23,
        10**400,
        "9" * 40,
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(RowError, match="time"):
        seconds(value, "time")


@pytest.mark.parametrize("value", [-1, "-1", "1969-12-31", -NOON * 1000])
def test_interactions_are_not_older_than_1970(value: object) -> None:
    with pytest.raises(RowError, match="1970"):
        timestamp(value, "time")
