"""What many tasks ask of the database, or tell it, at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from re2llm.runtime.coalescing import GroupedWrites, SharedReads


class Source:
    """A value that changes, and reads of it that take until they are let go."""

    def __init__(self) -> None:
        self.value = 0
        self.begun: list[int] = []
        self.go = asyncio.Event()

    async def read(self) -> int:
        self.begun.append(self.value)
        found = self.value
        await self.go.wait()
        return found


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_at_the_same_time_share_a_read() -> None:
    source, reads = Source(), SharedReads()
    source.go.set()
    found = await asyncio.gather(*(reads.get("a", source.read) for _ in range(50)))
    assert found == [0] * 50
    assert len(source.begun) == 1


async def test_nobody_gets_what_was_read_before_they_asked() -> None:
    source, reads = Source(), SharedReads()
    early = asyncio.create_task(reads.get("a", source.read))
    await turn()
    source.value = 1  # the first read has begun already, and has not ended
    late = [asyncio.create_task(reads.get("a", source.read)) for _ in range(3)]
    await turn()
    assert source.begun == [0]
    source.go.set()
    assert await early == 0
    assert await asyncio.gather(*late) == [1, 1, 1]
    assert source.begun == [0, 1]


async def test_other_values_do_not_wait() -> None:
    slow, quick, reads = Source(), Source(), SharedReads()
    waiting = asyncio.create_task(reads.get("slow", slow.read))
    await turn()
    quick.go.set()
    assert await reads.get("quick", quick.read) == 0
    slow.go.set()
    await waiting


async def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    source, reads = Source(), SharedReads()
    first, second = (asyncio.create_task(reads.get("a", source.read)) for _ in range(2))
    await turn()
    first.cancel()
    source.go.set()
    assert await second == 0
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_closing_ends_reads_whose_askers_have_left_and_lets_them_clean_up() -> None:
    reads, cleaned = SharedReads(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    asker = asyncio.create_task(reads.get("a", endless))
    await asyncio.sleep(0.01)
    asker.cancel()
    await asyncio.sleep(0.01)
    assert not cleaned.is_set()
    await reads.close()
    assert cleaned.is_set()


async def test_all_get_the_error_and_the_next_one_reads_again() -> None:
    reads, tries = SharedReads(), 0

    async def read() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("lost")
        return tries

    failed = await asyncio.gather(*(reads.get("a", read) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [OSError] * 3
    assert await reads.get("a", read) == 2


class Table:
    """Rows as they were written; a negative one cannot be, and takes the others with it."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []

    async def write(self, rows: Sequence[int]) -> None:
        await asyncio.sleep(0.01)
        if any(row < 0 for row in rows):
            raise ValueError(rows)
        self.writes.append(list(rows))

    @property
    def rows(self) -> list[int]:
        return sorted(row for rows in self.writes for row in rows)


async def test_rows_that_come_during_a_write_go_out_together() -> None:
    table = Table()
    writes = GroupedWrites(table.write, (ValueError,))

    async def later(row: int) -> None:
        await asyncio.sleep(0.001)
        await writes.add(row)

    await asyncio.gather(writes.add(0), *(later(row) for row in range(1, 251)))
    assert table.rows == list(range(251))
    assert [len(rows) for rows in table.writes] == [1, 100, 100, 50]


async def test_a_row_is_written_once_its_task_goes_on() -> None:
    table = Table()
    writes = GroupedWrites(table.write, (ValueError,))

    async def add(row: int) -> None:
        await writes.add(row)
        assert row in table.rows

    await asyncio.gather(*(add(row) for row in range(30)))


async def test_a_faulty_row_harms_no_other() -> None:
    table = Table()
    writes = GroupedWrites(table.write, (ValueError,))
    rows = [1, 2, -3, 4, -5]
    results = await asyncio.gather(*map(writes.add, rows), return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [row < 0 for row in rows]
    assert table.rows == [1, 2, 4]


async def test_a_lost_table_is_told_to_all_and_not_asked_again() -> None:
    asked = 0

    async def write(_: Sequence[int]) -> None:
        nonlocal asked
        asked += 1
        raise OSError("lost")

    writes = GroupedWrites(write, (ValueError,))
    results = await asyncio.gather(*map(writes.add, range(9)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 9
    assert asked == 1


async def test_a_row_is_written_though_its_task_has_left() -> None:
    table = Table()
    writes = GroupedWrites(table.write, (ValueError,))
    gone, stays = (asyncio.create_task(writes.add(row)) for row in (1, 2))
    await turn()
    gone.cancel()
    await stays
    assert table.rows == [1, 2]
