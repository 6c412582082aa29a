"""The schema: up, down and up again, beside a host's tables, and from many processes at once."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fresh_databases import execute, rows
from re2llm.knowledge import migrate
from re2llm.knowledge.migrate import downgrade, upgrade
from re2llm.knowledge.schema.tables import SCHEMA, Base
from sqlalchemy import CheckConstraint, create_engine, inspect

START_ALL = """
import asyncio, sys
from re2llm.knowledge.engine import database_url, make_engine, ping
from re2llm.knowledge.migrate import upgrade
from re2llm.settings import get_settings

url = database_url(get_settings())
upgrade(url)
asyncio.run(ping(make_engine(url, get_settings()), get_settings()))
print("ready")
"""


def tables(url: str, schema: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names(schema=schema))
    finally:
        engine.dispose()


def schemas(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_schema_names())
    finally:
        engine.dispose()


def expected() -> set[str]:
    return {table.name for table in Base.metadata.tables.values()} | {"alembic_version"}


@pytest.mark.long
def test_upgrade_makes_every_table_and_downgrade_leaves_nothing_of_ours(fresh: str) -> None:
    upgrade(fresh)
    assert tables(fresh, SCHEMA) == expected()
    downgrade(fresh)
    assert SCHEMA not in schemas(fresh)
    upgrade(fresh)
    assert tables(fresh, SCHEMA) == expected()


@pytest.mark.long
def test_every_single_step_goes_down_and_up_again(fresh: str) -> None:
    upgrade(fresh)
    steps = 0
    while tables(fresh, SCHEMA) - {"alembic_version"}:
        downgrade(fresh, "-1")
        upgrade(fresh, "+1")
        downgrade(fresh, "-1")
        steps += 1
    assert steps >= 1
    upgrade(fresh)
    assert tables(fresh, SCHEMA) == expected()


@pytest.mark.long
def test_tables_of_langgraph_and_of_a_host_are_left_alone(fresh: str) -> None:
    theirs = {"checkpoints", "checkpoint_writes", "store", "session", "alembic_version"}
    execute(
        fresh,
        *(f"CREATE TABLE public.{name} (version_num text)" for name in sorted(theirs)),
        "INSERT INTO public.alembic_version VALUES ('theirs')",
        "INSERT INTO public.checkpoints VALUES ('kept')",
    )
    upgrade(fresh)
    assert tables(fresh, "public") == theirs
    assert differences(fresh) == []
    downgrade(fresh)
    assert tables(fresh, "public") == theirs
    engine = create_engine(fresh)
    with engine.connect() as connection:
        for table, value in (("alembic_version", "theirs"), ("checkpoints", "kept")):
            found = connection.exec_driver_sql(f"SELECT version_num FROM public.{table}")
            assert found.scalars().all() == [value]
    engine.dispose()


def differences(url: str) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "schema" or name == SCHEMA

    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": ours,
                "version_table_schema": SCHEMA,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        found = compare_metadata(context, Base.metadata)
    engine.dispose()
    return found


@pytest.mark.long
def test_the_models_and_the_migrated_schema_are_the_same(fresh: str) -> None:
    upgrade(fresh)
    assert differences(fresh) == []


@pytest.mark.long
def test_the_comparison_sees_a_difference(fresh: str) -> None:
    upgrade(fresh)
    execute(fresh, f"ALTER TABLE {SCHEMA}.hint DROP COLUMN provenance")
    assert differences(fresh) != []


def test_check_constraints_are_the_models_own(fresh: str) -> None:
    """Autogenerate does not compare these."""
    upgrade(fresh)
    engine = create_engine(fresh)
    found = {
        constraint["name"]
        for table in expected()
        for constraint in inspect(engine).get_check_constraints(table, schema=SCHEMA)
    }
    engine.dispose()
    declared = {
        constraint.name
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert found == declared


@pytest.mark.long
def test_concurrent_upgrades_of_one_database_all_succeed(fresh: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, fresh) for _ in range(4)]:
            done.result(timeout=60)
    assert tables(fresh, SCHEMA) == expected()


@pytest.mark.long
def test_two_processes_that_start_at_once_on_a_fresh_directory_both_succeed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RE2LLM_HOME", str(tmp_path_factory.mktemp("home") / "new"))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START_ALL],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in started:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert out == "ready\n"


@pytest.mark.long
def test_releases_are_numbered_in_each_domain(fresh: str) -> None:
    upgrade(fresh, "0015")
    values = "'paper', '', '', '', '', '', '[]', '{}', '{}'"
    execute(
        fresh,
        "INSERT INTO re2llm.domain (name, encoder) VALUES ('a', ''), ('b', '')",
        *(
            "INSERT INTO re2llm.policy_release (domain_id, recipe, weights, encoder, "
            "prompt_version, model, hint_set, hint_ids, config, metrics) "
            f"SELECT id, {values} FROM re2llm.domain WHERE name = '{name}'"
            for name in "abab"
        ),
        *(
            "INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, "
            "policy, probability, model, prompt_version, flags, latency_ms, tokens) "
            f"SELECT gen_random_uuid(), id, '{{}}', '{{}}', '{{}}', 'ppo:{release}', 1, '', '', "
            f"'{{}}', 0, '{{}}' FROM re2llm.domain WHERE name = '{name}'"
            for name, release in (("a", 3), ("b", 2), ("b", 4))
        ),
    )
    found = (
        "SELECT name, number, (SELECT count(*) FROM re2llm.recommendation AS r WHERE r.domain_id "
        "= p.domain_id AND policy = 'ppo:' || number) FROM re2llm.policy_release AS p "
        "JOIN re2llm.domain AS d ON d.id = p.domain_id ORDER BY name, number"
    )
    upgrade(fresh)
    assert rows(fresh, found) == [("a", 1, 0), ("a", 2, 1), ("b", 1, 1), ("b", 2, 1)]
    downgrade(fresh, "0015")
    numbers = rows(fresh, "SELECT id FROM re2llm.policy_release ORDER BY id")
    assert numbers == [(1,), (2,), (3,), (4,)]
    labels = rows(fresh, "SELECT count(DISTINCT policy) FROM re2llm.recommendation")
    assert labels == [(3,)]
    upgrade(fresh)
    assert len(rows(fresh, found)) == 4


def test_the_names_of_the_files_are_the_revisions() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent.parent / "migrations"))
    oldest_first = [script.revision for script in scripts.walk_revisions()][::-1]
    assert list(migrate.known_revisions()) == oldest_first
    assert scripts.get_current_head() == oldest_first[-1]


EXPANDING = {"create_table", "add_column", "create_index", "f"}  # `op.f` marks a name
REKEYING = "v0027_hint_numbers"  # `test_hint_numbers` has older servers work beside it


def test_migrations_only_add_so_that_older_servers_go_on() -> None:
    """Up to 0016 they did more; those versions cannot run side by side."""
    files = sorted((Path(migrate.__file__).parent.parent / "migrations/versions").glob("v*.py"))
    recent = [file for file in files if file.stem > "v0017" and file.stem != REKEYING]
    assert len(recent) >= 3
    for file in recent:
        (upgrade_,) = (
            node
            for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
        )
        done = {
            node.func.attr
            for node in ast.walk(upgrade_)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "op"
        }
        assert done
        assert done <= EXPANDING, file.name
