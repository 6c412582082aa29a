"""The sessions that hints are tried on."""

from __future__ import annotations

from typing import Any, cast

import pytest
from re2llm.errors import InputError
from re2llm.ranking.hints.panels import panel

NO_OPTIONS = cast("Any", None)
"""None are needed where there is no session."""


async def test_a_panel_without_the_session_that_was_missed_says_that_it_is_missing() -> None:
    with pytest.raises(InputError) as raised:
        await panel("films", {"training_session": None}, NO_OPTIONS)
    assert raised.value.field == "training_session"
