"""500 bad hints beside 20 good ones, tidied with the offline model, and killed in the middle."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from learnt import knowledge, libpq
from re2llm.benchmarks.planted_hints import planted
from re2llm.benchmarks.tidy_store import left, plant
from re2llm.runtime.services import Services

RE2LLM = Path(sys.executable).with_name("re2llm")
JUNK = 500
BUDGET = 30_000
"""Calls; to try every hint on every session takes some 58,000."""
_DONE = (
    "SELECT (SELECT count(*) FROM re2llm.hint_trial WHERE domain_id = d.id), "
    "(SELECT count(*) FROM re2llm.hint_decision WHERE domain_id = d.id) "
    "FROM re2llm.domain AS d WHERE name = %s"
)
_DECIDED = (
    "SELECT t.id, hint_id, verdict, reason FROM re2llm.hint_decision AS t "
    "JOIN re2llm.domain AS d ON d.id = domain_id WHERE name = %s"
)


def test_the_junk_differs_with_the_seed_and_repeats_no_text() -> None:
    one, other = planted(1, JUNK), planted(2, JUNK)
    for made in (one, other):
        assert len(set(made.texts)) == len(made.texts) == JUNK + 20
        assert Counter(made.kinds) == {"good": 20, "repeat": 200, "harmful": 150, "idle": 150}
    assert len({*one.texts} & {*other.texts}) < 0.3 * JUNK
    assert planted(1, JUNK) == one


def start(url: str, domain: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [RE2LLM, "hints", "tidy", "--domain", domain, "--max-llm-calls", str(BUDGET), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RE2LLM_DATABASE_URL": libpq(url)},
        start_new_session=True,
    )


def progress(url: str, domain: str) -> tuple[int, int]:
    with psycopg.connect(libpq(url)) as connection:
        row = connection.execute(_DONE, [domain]).fetchone()
    return row or (0, 0)


def decided(url: str, domain: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq(url)) as connection:
        return connection.execute(_DECIDED, [domain]).fetchall()


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_store_full_of_junk_is_tidied_and_a_kill_loses_nothing(
    services: Services, adjust: Callable[..., None], domain: str, url: str
) -> None:
    adjust(verify_random=32, verify_doubtful=3)
    kinds = await plant(domain, 7, JUNK)
    before, _ = progress(url, domain)

    killed = start(url, domain)
    while (done := progress(url, domain))[1] < 150:  # in the rounds after the first
        assert killed.poll() is None, killed.communicate()
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert done[0] > before + 5_000
    known, decisions = knowledge(url, domain), decided(url, domain)

    again = start(url, domain)
    output, errors = again.communicate()
    assert again.returncode == 0, errors
    found = json.loads(output)
    assert found["stopped"] is None
    after = knowledge(url, domain)
    # Nothing that was paid or decided is lost, and nothing is paid again.
    assert not Counter(map(str, known["trials"])) - Counter(map(str, after["trials"]))
    assert set(decisions) <= set(decided(url, domain))
    assert found["llm_calls"] == len(after["trials"]) - len(known["trials"])
    assert len(after["hints"]) == JUNK + 20
    calls = len(after["trials"]) - before
    assert calls <= BUDGET

    active = await left(domain, kinds)
    junk = active.total() - active["good"]
    assert active["good"] >= 19, active
    assert junk <= 0.05 * active.total(), active
