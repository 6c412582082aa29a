"""What every command shares: how its work is run."""

import asyncio
import gc

import pytest
from re2llm.commands import console


def test_garbage_is_looked_for_as_usual_once_a_command_has_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    async def work() -> None:
        seen.append(gc.get_threshold())
        await asyncio.sleep(0.01)
        seen.append(gc.get_threshold())

    monkeypatch.setattr(console, "_LOADING", 0.0)
    console.run(work)
    assert seen[0][0] > usual[0]
    assert seen[1] == gc.get_threshold() == usual


def test_it_is_after_a_command_that_failed() -> None:
    usual = gc.get_threshold()

    async def work() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        console.run(work)
    assert gc.get_threshold() == usual
