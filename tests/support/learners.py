"""`re2llm learn` as processes of their own, and signals that strike them at points of progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg
from learnt import libpq

RE2LLM = Path(sys.executable).with_name("re2llm")
_PATIENCE = 150
_ROWS = (
    "SELECT (SELECT count(*) FROM re2llm.hint_trial WHERE domain_id = d.id) + "
    "(SELECT count(*) FROM re2llm.hint_proposal WHERE domain_id = d.id) "
    "FROM re2llm.domain AS d WHERE name = %s"
)

Moment = Literal["reflection", "trial"]
_MOMENTS: dict[Moment, str] = {
    "reflection": "SELECT count(*) FROM re2llm.reflection AS r JOIN re2llm.domain AS d "
    "ON d.id = domain_id WHERE name = %s",
    "trial": "SELECT count(*) FROM re2llm.hint_trial AS t JOIN re2llm.domain AS d "
    "ON d.id = domain_id WHERE name = %s AND hint_key <> ''",
}


@dataclass
class Learners:
    """Starts learners on one domain, watches what they write, and strikes them.

    Attributes:
        url: Of the database.
        domain: What they learn about.
        env: Variables of theirs.
    """

    url: str
    domain: str
    env: dict[str, str] = field(default_factory=dict)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a learner in a process group of its own."""
        # What is started by a shell's background job would ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [str(RE2LLM), "learn", "--domain", self.domain, "--json", *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **self.env, "PGAPPNAME": self.name, "COLUMNS": "200"},
                start_new_session=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self, *command: str) -> None:
        """Run a command of ours to its end, which has to be a good one."""
        done = subprocess.run(
            [str(RE2LLM), *command],
            capture_output=True,
            text=True,
            env={**os.environ, **self.env},
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @property
    def name(self) -> str:
        """What their connections are called in the server."""
        return f"learner-{self.domain}"

    def progress(self, connection: psycopg.Connection[Any]) -> int:
        """Count the rows that learning has added: trials and proposals."""
        row = connection.execute(_ROWS, [self.domain]).fetchone()
        return row[0] if row else 0

    def connections(self, connection: psycopg.Connection[Any]) -> int:
        """Count what they have open in the server."""
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [self.name]
        ).fetchone()
        return row[0] if row else 0

    def strike(
        self,
        learner: subprocess.Popen[str],
        at: int,
        moment: Moment | float,
        sign: int = signal.SIGKILL,
    ) -> int:
        """Send a learner's whole process group a signal.

        Args:
            learner: A running one.
            at: Not before so many rows are there.
            moment: What to wait for from there: seconds, the first sight of the next reflection,
                which catches it by half if that can be, or of a hint on trial.
            sign: The signal.

        Returns:
            The rows that were there when it was gone.
        """
        end = time.monotonic() + _PATIENCE
        with self._watching(end) as connection:
            while not self.connections(connection):
                assert learner.poll() is None, learner.communicate()
                assert time.monotonic() < end
                time.sleep(0.002)
            while self.progress(connection) < at:
                assert learner.poll() is None, learner.communicate()
                assert time.monotonic() < end
                time.sleep(0.002)
            if isinstance(moment, str):
                statement, name = _MOMENTS[moment], [self.domain]
                seen = connection.execute(statement, name).fetchone()
                while connection.execute(statement, name).fetchone() == seen:
                    assert learner.poll() is None, learner.communicate()
                    time.sleep(0.001)
            else:
                time.sleep(moment)
            os.killpg(learner.pid, sign)
            learner.wait(_PATIENCE)
            # A commit that was on its way when the process died may still arrive.
            while self.connections(connection):
                assert time.monotonic() < end
                time.sleep(0.002)
            return self.progress(connection)

    def _watching(self, end: float) -> psycopg.Connection[Any]:
        """Connect as soon as there is a server: a learner may have to start its own."""
        while True:
            try:
                return psycopg.connect(libpq(self.url), autocommit=True)
            except psycopg.OperationalError:
                assert time.monotonic() < end
                time.sleep(0.01)
