"""Behind PgBouncer itself, pooling by transaction: what serves works, learning says no at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from database_proxy import proxied
from ports import free_port
from re2llm.data.sample import sample_items
from re2llm.errors import PoolerError
from re2llm.interfaces.host import Re2llm
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.engine import make_engine
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.services import open_services
from re2llm.settings import Settings
from sqlalchemy import make_url, text

PROGRAM = shutil.which("pgbouncer")
PATIENCE = 120.0
FILMS = sample_items()[:20]
IDS = [film.id for film in FILMS]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed"),
]


@pytest.fixture(params=[1, 2, 20])
def pooled(request: pytest.FixtureRequest, fresh: str) -> Iterator[str]:
    """URL of an empty database behind PgBouncer, which lends so many connections."""
    # Its account enters no folder that is closed to others, such as the server's.
    with tempfile.TemporaryDirectory() as made, proxied(fresh, Path(made)):
        folder = Path(made)
        folder.chmod(0o755)
        (folder / ".s.PGSQL.5432").chmod(0o777)
        port, database = free_port(), make_url(fresh).database
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": request.param,
        }
        if os.geteuid() == 0:  # it refuses to run as root
            settings["user"] = "nobody"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        account = make_url(fresh).username
        behind = f"{database} = host={folder} port=5432 user={account}"
        file = folder / "pgbouncer.ini"
        file.write_text("\n".join(["[databases]", behind, "[pgbouncer]", *lines]))
        with subprocess.Popen([str(PROGRAM), "-q", str(file)], stderr=subprocess.DEVNULL) as pooler:
            try:
                url = f"postgresql+psycopg://any@127.0.0.1:{port}/{database}"
                wait_for(url)
                yield url
            finally:
                pooler.terminate()


def wait_for(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(url.replace("+psycopg", ""), prepare_threshold=None):
                return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


async def test_what_serves_works_and_learning_says_no(pooled: str, settings: Settings) -> None:
    engine = make_engine(pooled, settings)
    services = await open_services(settings, engine=engine)
    sessions = [Session(tuple(IDS[at : at + 3]), IDS[at + 3]) for at in range(10)]
    await load_domain(services, "films", FILMS, [lambda _: sessions])
    await services.close()
    await engine.dispose()
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            async with Re2llm(pooled, domain="films") as host:
                asked = [host.arecommend(IDS[:2], k=3) for _ in range(6)]
                for one in await asyncio.gather(*asked):
                    assert one.recommendation_id
                    picked = one.items[0].id
                    await host.afeedback(one.recommendation_id, picked, learn=False)
                with pytest.raises(PoolerError, match="by transaction"):
                    await host.alearn(max_llm_calls=3)
    async with make_engine(pooled, settings).connect() as connection:
        await find_domain(connection, "films")  # prepared, where no pooler is in between
        kept = await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        assert kept == 0
