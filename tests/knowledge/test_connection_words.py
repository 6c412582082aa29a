"""Addresses of databases as people and libraries write them, and what is said of wrong ones."""

import pytest
from pydantic import SecretStr
from re2llm.errors import DatabaseError
from re2llm.knowledge.connection_words import GENERAL, remedy_of
from re2llm.knowledge.engine import database_url
from re2llm.settings import Settings
from sqlalchemy import make_url

ODD = "s3cret/w@rd%:x"
ENCODED = "s3cret%2Fw%40rd%25%3Ax"


def connected(url: str) -> dict[str, object]:
    """Return what the driver is told."""
    parsed = make_url(database_url(Settings(database_url=SecretStr(url))))
    assert parsed.drivername == "postgresql+psycopg"
    given = parsed.translate_connect_args(username="user", database="dbname") | dict(parsed.query)
    return {name: str(value) for name, value in given.items()}


@pytest.mark.parametrize(
    "url",
    [
        *(
            f"{scheme}://me:{ENCODED}@db:5433/app"
            for scheme in (
                *("postgresql", "postgres", "POSTGRESQL", "Postgres", "postgresql+psycopg"),
                *("postgresql+psycopg2", "postgresql+asyncpg", "postgres+asyncpg"),
            )
        ),
        f"jdbc:postgresql://db:5433/app?user=me&password={ENCODED}",
        f"host=db port=5433 user=me password={ODD} dbname=app",
        f"host='db' port=5433 user=me password='{ODD}' dbname=app",
        f"'postgresql://me:{ENCODED}@db:5433/app'\n",
        f"\ufeff\u201cpostgresql://me:{ENCODED}@db:5433/app\u201d\u200b",
        f"host=db port=5433 user=me dbname=app password='{ODD}'",
        f"\"host=db port=5433 user=me dbname=app password='{ODD}'\"",
    ],
)
def test_an_address_is_read_however_it_is_written(url: str) -> None:
    expected = {"host": "db", "port": "5433", "user": "me", "dbname": "app"}
    assert connected(url) == expected | {"password": ODD}


@pytest.mark.parametrize("url", ["host=db password=s3cret", "postgresql://a,b/app?password=s3cret"])
def test_a_password_without_a_user_is_kept(url: str) -> None:
    assert "s3cret" in connected(url).values()


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://me@a:1,b:2/app", "a,b", "1,2"),
        ("postgresql://me@[::1]:5433/app", "::1", "5433"),
        ("postgresql://me@%2Fvar%2Frun:5433/app", "/var/run", "5433"),
        ("postgresql://me@/app?host=/var/run&port=5433", "/var/run", "5433"),
    ],
)
def test_several_hosts_and_sockets_are_read(url: str, host: str, port: str) -> None:
    found = connected(url)
    assert (found["host"], found["port"], found["user"]) == (host, port, "me")


@pytest.mark.parametrize(
    ("url", "problem", "remedy"),
    [
        ("", "empty", "leave it unset"),
        ("mysql://me:s3cret@db/app", "not a PostgreSQL URL", "postgresql://"),
        ("me:s3cret@db:5432/app", "not a PostgreSQL URL", "postgresql://"),
        ("$DATABASE_URL", "not a PostgreSQL URL", "postgresql://"),
        ("postgresql://me:s3cret@::1:5432/app", "host cannot be read", "brackets"),
        ("postgresql://me:s3cret@db:port/app", "port is no number", "host:5432"),
        ("postgresql://me:s3cret@w@db/app", "more than one @", "%40"),
        (f"postgresql://me:{ODD}@db:5432/app", "cannot be read", "%2F"),
        ("password=a s3cret dbname=x", "not a PostgreSQL URL", "postgresql://"),
        ("postgresql://me:x@s3cret/w:x#y?q@db/app", "splits a password", "%40"),
        ("postgresql://me:x@s3cret/w?a=b@db/app", "splits a password", "%40"),
        ("postgresql://db:1/app?user=me&password=x@s3cret/w", "splits a password", "%40"),
        ("host=db;user=me;password=s3cret;dbname=x", "told apart", "host=… user=…"),
        ("host=db,user=me,password=s3cret", "told apart", "host=… user=…"),
        ("jdbc:postgresql://db/app;user=me;password=s3cret", "told apart", "host=… user=…"),
        ("postgresql://db/app&user=me&password=s3cret", "told apart", "host=… user=…"),
        ("postgresql://me:x%00s3cret@db/app", "code 0", "%00"),
        (f"postgresql://me:s3cret@{'a' * 64}/app", "host cannot be read", "postgresql://"),
    ],
)
def test_what_cannot_be_read_is_explained_without_the_password(
    url: str, problem: str, remedy: str
) -> None:
    with pytest.raises(DatabaseError) as caught:
        database_url(Settings(database_url=SecretStr(url)))
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert "s3cret" not in str(caught.value)


def test_an_at_sign_in_a_value_of_an_option_is_read() -> None:
    found = connected("postgresql://me:x@db/app?user=me@tenant&password=p@ss")
    assert (found["host"], found["password"]) == ("db", "p@ss")


@pytest.mark.parametrize("password", ["%41/s3cret", "a,b/s3cret", "[a]/s3cret"])
def test_a_slash_in_a_password_makes_no_database_of_its_rest(password: str) -> None:
    found = connected(f"postgresql://me:{password}@db:5432/app")
    assert (found["host"], found["dbname"]) == ("db", "app")


@pytest.mark.parametrize("url", ["postgresql:///app?host=", "host="])
def test_the_folder_of_a_socket_may_hold_an_at(url: str) -> None:
    folder = "/home/jane@corp.example/pg"
    at = "%40" if "//" in url else "@"
    assert connected(url + folder.replace("@", at))["host"] == folder


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ('FATAL:  password authentication failed for user "me"', "user and password"),
        ("fe_sendauth: no password supplied", "user and password"),
        ('FATAL:  role "me" does not exist', "Check the user"),
        ('FATAL:  database "app" does not exist', "create it"),
        ("failed to resolve host 'db': [Errno -2] Name or service not known", "Check the host"),
        ('connection to server at "db", port 1 failed: Connection refused', "host and port"),
        ('connection to server on socket "/x/.s" failed: No such file or directory', "socket"),
        ('on socket "/x/.s" failed: FATAL:  role "me" is not permitted to log in', "LOGIN"),
        ('on socket "/x/.s" failed: FATAL:  too many connections for role', "RE2LLM_POOL_SIZE"),
        ('invalid port number: "99999"', "port"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", no encryption', "pg_hba.conf"),
        ("server does not support SSL, but SSL was required", "sslmode"),
        ('root certificate file "/x/root.crt" does not exist', "sslrootcert"),
        ("SSL error: certificate verify failed", "sslrootcert"),
        ('invalid sslmode value: "x"', "verify-full"),
        ('invalid connection option "pgbouncer"', "does not know it"),
        ('invalid connection option "command_timeout"', "does not know it"),
        ("FATAL:  unsupported startup parameter: options", "ignore_startup_parameters"),
        ('definition of service "x" not found', "pg_service.conf"),
        ('FATAL:  unrecognized configuration parameter "x"', "options="),
        ("FATAL:  sorry, too many clients already", "RE2LLM_POOL_SIZE"),
        ("FATAL:  the database system is starting up", "in a minute"),
        # of poolers
        ("FATAL:  no such database: app", "create it"),
        ("FATAL:  no such user: me", "Check the user"),
        ("FATAL:  Tenant or user not found", "Check the user"),
        ("FATAL:  auth failed", "user and password"),
        ("FATAL:  query_wait_timeout", "default_pool_size"),
        ("FATAL:  no more connections allowed (max_client_conn)", "RE2LLM_POOL_SIZE"),
        ("FATAL:  MaxClientsInSessionMode: max clients reached", "RE2LLM_POOL_SIZE"),
        ("FATAL:  SSL required", "?sslmode=require"),
        ("server does not support SSL, but SSL was required", "Switch SSL on"),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", GENERAL),
    ],
)
def test_each_failure_has_its_remedy(reason: str, remedy: str) -> None:
    assert remedy in remedy_of(f"connection failed: {reason}")
