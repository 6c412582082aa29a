"""The expected end of a training: at the pace of its last updates, and also told in a log."""

from datetime import datetime, timedelta

from re2llm.commands.rating.expected_end import ExpectedEnd, with_expected_end


def clock(*seconds: float):
    return iter(seconds).__next__


def told_minutes(text: str) -> datetime:
    return datetime.strptime(text.removeprefix("ends about "), "%H:%M")  # noqa: DTZ007


def about(minutes: float) -> set[str]:
    now = datetime.now().astimezone()
    return {f"{now + timedelta(minutes=minutes, seconds=s):%H:%M}" for s in (-60, 0, 60)}


def test_the_end_follows_from_the_last_updates():
    # The first update takes an hour, the next ones a minute each.
    ends = ExpectedEnd(clock(*(3600 + 60 * n for n in range(20))), terminal=True)
    assert ends.note("sft", 1, 31) == ""
    for done in range(2, 12):
        text = ends.note("sft", done, 31)
    assert f"{told_minutes(text):%H:%M}" in about(20)
    assert ends.note("grpo", 1, 9) == ""
    assert f"{told_minutes(ends.note('grpo', 2, 32)):%H:%M}" in about(30)


def test_a_long_training_names_the_day():
    ends = ExpectedEnd(clock(0, 3600), terminal=True)
    ends.note("sft", 1, 100)
    when = datetime.now().astimezone() + timedelta(hours=98)
    assert f"{when:%d %b}" in ends.note("sft", 2, 100)


def test_a_log_gets_a_line_every_ten_updates(capsys):
    ends = ExpectedEnd(clock(*range(100)), terminal=False)
    for done in range(1, 26):
        ends.note("sft", done, 25)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "sft: 10 of 25", "sft: 20 of 25", "sft: 25 of 25"
    ]  # fmt: skip
    ExpectedEnd(clock(0, 1), terminal=True).note("sft", 10, 25)
    assert not capsys.readouterr().err


def test_the_stages_of_a_training_are_named_and_others_keep_their_notes():
    told: list[tuple[str, int, int | None, str]] = []

    def bars(stage: str, done: int, total: int | None = None, note: str = "") -> None:
        told.append((stage, done, total, note))

    report = with_expected_end(bars)
    report("tracing", 3, 9, "3 traces")
    report("sft", 1, 20)
    report("sft", 2, 20)
    report("grpo", 1)
    assert told[:2] == [("tracing", 3, 9, "3 traces"), ("imitating", 1, 20, "")]
    assert told[2][:3] == ("imitating", 2, 20)
    assert told[2][3].startswith("ends about ")
    assert told[3] == ("reinforcing", 1, None, "")
