"""Hints are numbered in each domain: the migration to it, and older servers beside it."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from fresh_databases import execute, rows
from re2llm.knowledge.migrate import downgrade, upgrade
from sqlalchemy.exc import DBAPIError, IntegrityError

BEFORE = "0026"
# All that refers to hints. Of a hint with the text "x", each says so in its own way.
REFERRING = """
    INSERT INTO re2llm.hint_stats (DOMAIN hint_id, model, prompt_version, trials, mean_gain,
        gain_error, helped, harmed) SELECT DOMAIN id, 'm', 'v', ascii(text), 0, 0, 0, 0 FROM new;
    INSERT INTO re2llm.hint_use (DOMAIN hint_id, uses) SELECT DOMAIN id, ascii(text) FROM new;
    INSERT INTO re2llm.hint_decision (domain_id, hint_id, verdict, before, after, reason, figures,
        model, prompt_version) SELECT domain_id, id, '', '', '', text, '{}', '', '' FROM new;
    INSERT INTO re2llm.hint_proposal (domain_id, text, outcome, reason, hint_id, verification)
        SELECT domain_id, text, 'stored', '', id, '{}' FROM new;
    INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, policy, hint_id,
        hint_ids, probability, model, prompt_version, flags, latency_ms, tokens)
        SELECT gen_random_uuid(), domain_id, ARRAY[text], '{}', '{}', '', id, ARRAY[id, first], 1,
        '', '', '{}', 0, '{}' FROM new;
    INSERT INTO re2llm.policy_release (domain_id, number, recipe, weights, encoder, prompt_version,
        model, hint_set, hint_ids, config, metrics) SELECT domain_id, min(id), 'paper', '', '', '',
        '', '', jsonb_agg(id ORDER BY id DESC), '{}', '{}' FROM new GROUP BY domain_id;
    UPDATE re2llm.hint AS h SET merged_into = first, provenance = jsonb_build_object('version_of',
        first, 'parents', jsonb_build_array(h.id, first)) FROM new
        WHERE h.domain_id = new.domain_id AND h.id = new.id AND new.id <> first
"""
NEW = """
    CREATE TEMPORARY TABLE new ON COMMIT DROP AS SELECT domain_id, id, text,
        min(id) OVER (PARTITION BY domain_id) AS first
    FROM re2llm.hint AS h WHERE NOT EXISTS (
        SELECT FROM re2llm.hint_proposal AS p WHERE (p.domain_id, p.hint_id) = (h.domain_id, h.id))
"""
STORY = """
    SELECT d.name, h.text, chr(s.trials), chr(u.uses::int), t.reason, p.text, r.history[1],
        r.hint_ids, h.merged_into, h.provenance -> 'version_of', h.provenance -> 'parents',
        (SELECT jsonb_agg(hint_ids ORDER BY number) FROM re2llm.policy_release
         WHERE domain_id = d.id), h.id
    FROM re2llm.hint AS h JOIN re2llm.domain AS d ON d.id = h.domain_id
    LEFT JOIN re2llm.hint_stats AS s ON s.hint_id = h.id AND (NOT KEYED OR s.DOMAIN = d.id)
    LEFT JOIN re2llm.hint_use AS u ON u.hint_id = h.id AND (NOT KEYED OR u.DOMAIN = d.id)
    LEFT JOIN re2llm.hint_decision AS t ON (t.domain_id, t.hint_id) = (h.domain_id, h.id)
    LEFT JOIN re2llm.hint_proposal AS p ON (p.domain_id, p.hint_id) = (h.domain_id, h.id)
    LEFT JOIN re2llm.recommendation AS r ON (r.domain_id, r.hint_id) = (h.domain_id, h.id)
    ORDER BY d.name, h.text
"""


def hint(domain: str, text: str) -> str:
    """Return the statement by which each version stores a hint."""
    return (
        "INSERT INTO re2llm.hint (domain_id, key, text, embedding) "
        f"SELECT id, '{text}', '{text}', array_fill(0.1::real, ARRAY[384])::vector "
        f"FROM re2llm.domain WHERE name = '{domain}'"
    )


def add(url: str, hints: Sequence[str], *, keyed: bool = True) -> None:
    """Store hints, such as `"ax"` for "x" in the domain a, and all that refers to them."""
    domains = [
        f"INSERT INTO re2llm.domain (name, encoder) VALUES ('{name}', '') ON CONFLICT DO NOTHING"
        for name, _ in hints
    ]
    referring = REFERRING.replace("DOMAIN", "domain_id," if keyed else "")
    execute(url, *domains, *(hint(*one) for one in hints), NEW, *referring.split(";"))


def story(url: str, *, keyed: bool = True) -> dict[str, tuple[Any, ...]]:
    """Return by domain and text what is known of each hint, with texts in place of numbers."""
    domain = "domain_id" if keyed else "hint_id"
    found = rows(url, STORY.replace("DOMAIN", domain).replace("KEYED", str(keyed)))
    texts = {(row[0], row[-1]): row[1] for row in found}

    def named(value: Any, name: str) -> Any:
        if isinstance(value, list):
            return [named(one, name) for one in value]
        return texts[name, value] if isinstance(value, int) else value

    return {f"{row[0]}{row[1]}": tuple(named(one, row[0]) for one in row[2:]) for row in found}


def numbers(url: str) -> dict[str, int]:
    """Return the number of each hint by its domain and text."""
    joined = "re2llm.hint AS h JOIN re2llm.domain AS d ON d.id = h.domain_id"
    return dict(rows(url, f"SELECT name || text, h.id FROM {joined} ORDER BY h.id"))


@pytest.fixture(scope="module")
def before(template: str) -> str:
    """A database of the version before, in which two domains took turns."""
    upgrade(template, BEFORE)
    add(template, ["ap", "bq", "ar", "bs"], keyed=False)
    assert numbers(template) == {"ap": 1, "bq": 2, "ar": 3, "bs": 4}
    return template


@pytest.fixture
def filled(before: str, copied: Callable[[], str]) -> str:
    """A copy of it."""
    return copied()


def test_hints_keep_their_numbers_and_new_ones_go_on_in_each_domain(filled: str) -> None:
    before, old = story(filled, keyed=False), numbers(filled)
    assert before["ar"][:5] == ("r", "r", "r", "r", "r")
    assert before["ar"][5:] == (["r", "p"], "p", "p", ["r", "p"], [["r", "p"]], "r")
    upgrade(filled)
    assert story(filled) == before
    add(filled, ["at", "bt", "ct", "cu"])
    assert numbers(filled) == {**old, "at": 4, "bt": 5, "ct": 1, "cu": 2}
    after = story(filled)
    assert {name: after[name][:5] for name in after} == {name: (name[1],) * 5 for name in after}


def test_the_way_back_gives_new_numbers_where_two_domains_have_the_same(filled: str) -> None:
    upgrade(filled)
    add(filled, ["at", "ct", "cu", "cv", "cw"])
    before = story(filled)
    assert numbers(filled)["at"] == numbers(filled)["bs"]
    downgrade(filled, BEFORE)
    assert story(filled, keyed=False) == before
    now = numbers(filled)
    assert len(set(now.values())) == len(now)
    assert {name: now[name] for name in ("ap", "bq", "ar", "at")} == {
        "ap": 1,
        "bq": 2,
        "ar": 3,
        "at": 4,
    }
    execute(filled, hint("b", "z"))
    assert numbers(filled)["bz"] > max(now.values())
    upgrade(filled)
    assert story(filled).items() >= before.items()


def test_no_number_is_given_twice_even_if_a_hint_was_deleted(filled: str) -> None:
    upgrade(filled)
    execute(filled, "INSERT INTO re2llm.domain (name, encoder) VALUES ('c', '')")
    execute(filled, *(hint("c", text) for text in "pqr"))
    execute(
        filled,
        "DELETE FROM re2llm.hint AS h USING re2llm.domain AS d "
        "WHERE d.id = domain_id AND name = 'c' AND text IN ('q', 'r')",
    )
    execute(filled, hint("c", "s"), hint("b", "t"))
    now = numbers(filled)
    assert (now["cp"], now["cs"], now["bt"]) == (1, 4, 5)
    execute(filled, "DELETE FROM re2llm.domain WHERE name = 'c'")
    assert numbers(filled).keys() == {"ap", "ar", "bq", "bs", "bt"}


def test_what_refers_to_a_hint_refers_to_one_of_its_own_domain(filled: str) -> None:
    upgrade(filled)
    tables = ("hint_stats", "hint_use", "hint_decision", "hint_proposal", "recommendation")
    for table in tables:
        with pytest.raises(IntegrityError, match="violates foreign key"):
            execute(filled, f"UPDATE re2llm.{table} SET hint_id = 2 WHERE hint_id = 1")
    with pytest.raises(IntegrityError, match="violates foreign key"):
        execute(filled, "UPDATE re2llm.hint SET merged_into = 2 WHERE id = 3")
    execute(filled, "DELETE FROM re2llm.domain WHERE name = 'a'")
    assert set(story(filled)) == {"bq", "bs"}


def test_servers_of_the_version_before_go_on(filled: str) -> None:
    """They name no domain where they store stats, and know no number before a hint is stored."""
    upgrade(filled)
    stats = (
        "INSERT INTO re2llm.hint_stats (hint_id, model, prompt_version, trials, mean_gain, "
        "gain_error, helped, harmed) SELECT id, 'other', 'v', 1, 0, 0, 0, 0 FROM re2llm.hint "
        "WHERE text = '{}'"
    )
    execute(filled, hint("b", "t"), stats.format("q"), stats.format("t"))
    assert numbers(filled)["bt"] == 5
    found = "SELECT name, hint_id FROM re2llm.hint_stats JOIN re2llm.domain ON id = domain_id "
    assert rows(filled, f"{found} WHERE model = 'other' ORDER BY 2") == [("b", 2), ("b", 5)]
    execute(filled, hint("a", "u"))  # it has the number of b's "s"
    with pytest.raises(DBAPIError, match="more than one row"):
        execute(filled, stats.format("s"))


@pytest.mark.long
def test_it_waits_for_requests_that_hold_tables_in_any_order(filled: str) -> None:
    """A plain lock, which waits for the next table with some in its hands, ends in a deadlock."""
    dsn = filled.replace("postgresql+psycopg://", "postgresql://")
    begun, done = threading.Barrier(3), threading.Event()

    def work(first: str, second: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET deadlock_timeout = '10s'")  # the migration would be the victim
            begun.wait()
            while not done.is_set():
                with connection.transaction():
                    connection.execute(f"SELECT FROM re2llm.{first}")
                    time.sleep(0.05)
                    connection.execute(f"SELECT FROM re2llm.{second}")
                time.sleep(0.2)

    tables = ("recommendation", "hint")
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work, *pair) for pair in (tables, tables[::-1])]
        begun.wait()
        try:
            upgrade(filled)
        finally:
            done.set()
        for one in working:
            one.result(timeout=60)
    assert numbers(filled) == {"ap": 1, "bq": 2, "ar": 3, "bs": 4}
