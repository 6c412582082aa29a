"""What to do about a database that fails, told by its codes, or by the words of libpq."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import DatabaseError

GENERAL = "Is the server up, and are user, password and database right?"
"""What to do if the words are unknown or in another language."""
UNICODE = "Make a database for it: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0;"
"""What to do about a database whose encoding does not hold every text."""
REFUSALS: Mapping[str, str] = {
    "25006": "Use the primary server, or a role that may write.",
    "42501": (
        "Have the tables' owner run: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "
        "re2llm TO the role; GRANT USAGE ON ALL SEQUENCES IN SCHEMA re2llm TO the role."
    ),
    "22P05": UNICODE,
    "53100": "Its disk is full: make room there.",
}
"""What to do about a statement that a healthy server refuses, by its SQLSTATE."""
_USUAL = "Write it as postgresql://user:password@host:5432/database."
_ENCODE = "In a URL, write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F and % as %25."
_REMEDIES = (
    (r"invalid (?:connection|URI query) (?:option|parameter)",
     "Leave that option out: PostgreSQL does not know it."),
    (r"unsupported startup parameter",
     "Leave that option out, or name it in the pooler's ignore_startup_parameters."),
    (r"password authentication failed|no password supplied|auth(?:entication)? failed",
     f"Check user and password. {_ENCODE}"),
    (r"role .* does not exist|no such user|tenant or user not found", "Check the user."),
    (r"database .* does not exist|no such database",
     "Check the database behind the last /, or create it."),
    (r"resolve host|could not translate host|name or service not known|nodename nor servname",
     f"Check the host. {_ENCODE}"),
    (r"on socket .* failed: (?:No such file|Connection refused|Permission|Is the)",
     "Check the host, or the folder of the socket: is the server up?"),
    (r"invalid port|invalid integer value .* \"port\"", "Check the port: 5432 is the usual one."),
    (r"query_wait_timeout", "The pooler has no free connection: raise its default_pool_size."),
    (r"refused|no route|network is unreachable|timeout|timed out",
     "Is the server up, and are host and port right?"),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects",
     "Have an administrator let this machine in (pg_hba.conf); or add ?sslmode=require."),
    (r"SSL (?:connection )?(?:is )?required", "Add ?sslmode=require."),
    (r"does not support SSL", "Switch SSL on in the server, or leave out sslmode."),
    (r"certificate|root\.crt", "Give the server's certificate: ?sslrootcert=FILE."),
    (r"sslmode", "Write sslmode as disable, prefer, require, verify-ca or verify-full."),
    (r"channel binding", "Leave out channel_binding, or switch SSL on in the server."),
    (r"definition of service", "Write that service into ~/.pg_service.conf, or name the host."),
    (r"unrecognized configuration parameter|command-line argument", "Correct options= in the URL."),
    (r"too many (?:clients|connections)|connection slots|no more connections|max.?client",
     "Lower RE2LLM_POOL_SIZE, or raise the server's limit of connections."),
    (r"starting up|shutting down|recovery", "Try again in a minute."),
    (r"not permitted to log in", "Have an administrator run ALTER ROLE with LOGIN."),
)  # fmt: skip
_KNOWN = tuple((re.compile(words, re.IGNORECASE), remedy) for words, remedy in _REMEDIES)
_SCHEME = re.compile(r"(?:jdbc:)?(postgres(?:ql)?(?:\+\w{1,20})?)://", re.IGNORECASE)
_KEY_WORD = re.compile(r"\w{1,30} {0,3}=")
_HOSTS = re.compile(r"[,%\[]")
_UNSEEN = "\ufeff\u200b \t\r\n"
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"
_USER_INFO = re.compile(r"\A[^:/]*(?::([^@]*))?@")
_OPTION = r"(?:user|username|pass\w{0,20}|host|port|dbname|database|sslmode) ?="
_OPTION_INSIDE = re.compile(rf"[?&]{_OPTION}", re.IGNORECASE)
_OPTION_BESIDE = re.compile(rf"[;,&\s]{_OPTION}", re.IGNORECASE)
_LONGEST_HOST = 253


def refusal_remedy(state: str | None, said: str) -> str | None:
    """Return what to do about a statement that a healthy server refuses; `None` if it is ours.

    Args:
        state: Its SQLSTATE.
        said: The server's words, with their details.
    """
    # No encoding holds the character with the code 0, and no text of ours should.
    return None if "\\u0000" in said else REFUSALS.get(state or "")


def remedy_of(reason: str) -> str:
    """Return what to do about a failed connection.

    Args:
        reason: The first line of its error.
    """
    known = (remedy for words, remedy in _KNOWN if words.search(reason))
    return next(known, GENERAL)


def read_url(url: str) -> URL:
    """Read the address of a database as a person wrote it.

    Raises:
        DatabaseError: It is not one of PostgreSQL, or its parts cannot be told apart.
    """
    url = plain_scheme(bare(url))
    try:
        parsed = libpq_url(url) or make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise DatabaseError("RE2LLM_DATABASE_URL", *malformed(url))
    if doubt := doubtful(url, parsed):
        raise DatabaseError("RE2LLM_DATABASE_URL", *doubt)
    return parsed


def plain_scheme(url: str) -> str:
    """Return a URL with its scheme as it is usually written: `JDBC:PostgreSQL://` as `postgresql://`.

    Args:
        url: The URL as it was given.
    """
    found = _SCHEME.match(url)
    return f"{found[1].lower()}://{url[found.end() :]}" if found else url


def libpq_url(text: str) -> URL | None:
    """Read what libpq reads and SQLAlchemy does not: several hosts, `host=… user=…`, sockets.

    Args:
        text: A text from `plain_scheme`.

    Returns:
        `None` if it is neither, or cannot be read.
    """
    scheme, mark, rest = text.partition("://")
    if mark:
        if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            return None
        hosts, _, behind = rest.partition("/")
        # An @ behind the first / is one of a password that holds a /.
        if "@" in behind or not _HOSTS.search(hosts.rpartition("@")[2]):
            return None
        text = f"postgresql://{rest}"
    elif not _KEY_WORD.match(text.lstrip()):
        return None
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(text).items()}
    except ProgrammingError:
        return None
    user, password, database = (found.pop(name, None) for name in ("user", "password", "dbname"))
    if password is not None:
        user = user or ""  # SQLAlchemy writes no password of nobody
    return URL.create("postgresql", user, password, None, None, database, found)


def bare(text: str) -> str:
    """Return an address without what a secret's file, a shell or an editor leaves around it."""
    text = text.strip(_UNSEEN)
    while text[:1] in _QUOTES or ("://" in text and text[-1:] in _QUOTES):
        # The last quote of host=… password='…' is its own.
        text = text.strip(_QUOTES) if "://" in text else text[1:-1]
        text = text.strip(_UNSEEN)
        if not text:
            break
    return text


def doubtful(text: str, parsed: URL) -> tuple[str, str] | None:
    """Return what keeps an address from being used as it was read, and what to do.

    Where a password holds a sign of URLs, its rest can be taken for a host or a database, which
    messages name.

    Args:
        text: A text from `plain_scheme`.
        parsed: What it was read as.
    """
    given = dict(parsed.query)
    hosts = [*_texts(parsed.host), *_texts(given.get("host"))]
    databases = [*_texts(parsed.database), *_texts(given.get("dbname"))]
    values = [*_texts(parsed.username), *_texts(parsed.password), *hosts, *databases]
    if any("\0" in value for value in values + [each for one in given.values() for each in one]):
        return "It holds a character with the code 0.", "Leave out %00."
    if any(_OPTION_BESIDE.search(value) for value in hosts + databases):
        return "Its options cannot be told apart.", f"{_USUAL} Or as host=… user=…, with blanks."
    named = [host for host in hosts if not host.startswith("/")]  # no folder of a socket
    if any("@" in host for host in named) or _has_stray_at(text.partition("://")[2]):
        return "It holds more than one @, or one that splits a password.", _ENCODE
    if not all(map(_is_host, ",".join(hosts).split(","))):
        return "Its host cannot be read.", f"{_USUAL} {_ENCODE}"
    return None


def _texts(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [str(value)] if isinstance(value, str) else [str(one) for one in value]


def _has_stray_at(rest: str) -> bool:
    found = _USER_INFO.match(rest)
    if found and _OPTION_INSIDE.search(found[1] or ""):
        return True
    place, _, options = rest[found.end() if found else 0 :].partition("?")
    names = {option.keyword.decode() for option in Conninfo.get_defaults()}
    return "@" in place or any(
        "@" in option and option.partition("=")[0] not in names for option in options.split("&")
    )


def _is_host(host: str) -> bool:
    if host.startswith("/"):
        return True
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return len(host) <= _LONGEST_HOST


def malformed(url: str) -> tuple[str, str]:
    """Return what is wrong with a URL that cannot be read, and what to do, without any of it.

    Args:
        url: The URL as it was given.
    """
    if not url:
        return "It is empty.", f"{_USUAL} Or leave it unset for the server that comes along."
    if not _SCHEME.match(url):
        return "It is not a PostgreSQL URL.", _USUAL
    host = url.partition("://")[2].rpartition("@")[2].partition("/")[0]
    if host.count(":") > 1 or "[" in host:
        return "Its host cannot be read.", "Write an IPv6 address in brackets: [::1]:5432."
    if ":" in host and not host.rpartition(":")[2].isdecimal():
        return "Its port is no number.", f"{_USUAL} {_ENCODE}"
    return "It cannot be read as a PostgreSQL URL.", f"{_USUAL} {_ENCODE}"
