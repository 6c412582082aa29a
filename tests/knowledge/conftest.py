"""Databases of a test's own."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from sqlalchemy import make_url


@contextmanager
def _database(url: str, template: str = "") -> Iterator[str]:
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    server = make_url(url)
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{template}")
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh(url: str) -> Iterator[str]:
    """URL of an empty database of its own."""
    with _database(url) as found:
        yield found


@pytest.fixture(scope="module")
def template(url: str) -> Iterator[str]:
    """URL of a database that `copied` copies; fill it once."""
    with _database(url) as found:
        yield found


@pytest.fixture
def copied(url: str, template: str) -> Iterator[Callable[[], str]]:
    """What copies the template, which nobody may be connected to."""
    with ExitStack() as stack:
        source = make_url(template).database
        yield lambda: stack.enter_context(_database(url, f" TEMPLATE {source}"))
