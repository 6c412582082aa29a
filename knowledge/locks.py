"""Advisory locks on pieces of work, so that two processes do not pay for the same one."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..errors import DatabaseError, PoolerError
from .engine import unreachable

_SESSIONS = 0x726532  # "re2": the first half of a two-part advisory lock
_PROMPTS = 0x726533
_SLOTS = 0x726534
_TASKS = 0x726536  # 0x726535 says which workers live (`jobs/queue/liveness.py`)
_KEY_BYTES = 4
_LOOK_AGAIN = 0.1
_POOLERS_PATIENCE = 10.0
_CLAIM, _GIVE_BACK = "pg_try_advisory_lock", "pg_advisory_unlock"

_FAULTS = (OSError, SQLAlchemyError, DatabaseError)

_Result = TypeVar("_Result")


class AdvisoryLocks:
    """The claims of one process. They go with its connection: a killed one leaves none behind.

    Args:
        engine: Gives the connection, which is kept open and used for nothing else.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._process = 0
        self._lock = asyncio.Lock()
        self._sessions = set[int]()
        self._further: dict[int, list[int]] = {}
        self._slots = set[int]()
        self._tasks = set[int]()
        self._asking = set[asyncio.Task[Any]]()

    async def claim_session(self, key: int) -> bool:
        """Claim a training session, unless another learner holds it, here or elsewhere.

        Raises:
            PoolerError: One that lends connections by transaction cannot keep a claim.
        """
        if key in self._sessions:  # to the database, all learners of a process are one
            return False
        self._sessions.add(key)
        claimed = False
        try:
            claimed = await self._claim(_SESSIONS, key)
        finally:
            if not claimed:
                self._sessions.discard(key)
        return claimed

    async def claim_further(self, own: int, key: int) -> bool:
        """Claim another session for a learner, until it gives its own back.

        Args:
            own: The session that it learns from; if that is not claimed, nothing is.

        Returns:
            Whether the learner may use the other session: it is claimed now, or nothing is claimed
            and no learner of this process holds it.

        Raises:
            PoolerError: One that lends connections by transaction cannot keep a claim.
        """
        if own not in self._sessions:
            return key not in self._sessions
        if not await self.claim_session(key):
            return False
        self._further.setdefault(own, []).append(key)
        return True

    async def release_session(self, key: int) -> None:
        """Give a claimed session back, and those that were claimed with it."""
        held = (*self._further.pop(key, ()), key)
        # In tasks of their own, so that a learner that is cancelled here gives all of them back.
        releases = [self._start(self._release(_SESSIONS, one)) for one in held]
        try:
            await asyncio.shield(asyncio.gather(*releases))
        finally:
            self._sessions.difference_update(held)

    @asynccontextmanager
    async def prompt(self, digest: bytes, patience: float) -> AsyncGenerator[None]:
        """Hold a prompt alone among all processes, as far as the database lets us.

        Args:
            patience: Seconds after which it is taken without a claim.
        """
        # Two prompts that share these bytes wait for each other, which does no harm.
        key = int.from_bytes(digest[:_KEY_BYTES], "big", signed=True)
        held = await self._held(key, patience)
        try:
            yield
        finally:
            if held:
                await self._release(_PROMPTS, key)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncGenerator[bool]:
        """Hold a task alone among all processes, and yield whether it is held.

        If it is not, another holds it: nothing is waited for, and no transaction stays open.

        Raises:
            DatabaseError: The database failed.
            PoolerError: A pooler lends its connections by transaction.
        """
        key = _key_of(name)
        if key in self._tasks:  # to the database, all tasks of a process are one
            yield False
            return
        self._tasks.add(key)
        try:
            try:
                held = await self._claim(_TASKS, key)
            except (OSError, SQLAlchemyError) as error:
                raise unreachable(self._engine, error) from error
            try:
                yield held
            finally:
                if held:
                    await self._release(_TASKS, key)
        finally:
            self._tasks.discard(key)

    @asynccontextmanager
    async def slot(self, name: str, count: int) -> AsyncGenerator[None]:
        """Hold one of some slots among all processes, such as those of a model's calls.

        A database that fails lets everyone pass: the limit is to spare a model, not to stop work.

        Args:
            name: What the slots are for.
            count: How many there are; 0 for no limit.
        """
        key = await self._slot(name, count) if count else None
        try:
            yield
        finally:
            if key is not None:
                try:
                    await self._release(_SLOTS, key)
                finally:
                    self._slots.discard(key)

    async def _slot(self, name: str, count: int) -> int | None:
        first = _key_of(name)
        keys = [(first + n + 2**31) % 2**32 - 2**31 for n in range(count)]
        try:
            while True:
                for key in keys:
                    # To the database, all calls of a process are one.
                    if key in self._slots:
                        continue
                    self._slots.add(key)
                    claimed = False
                    try:
                        claimed = await self._claim(_SLOTS, key)
                    finally:
                        if not claimed:
                            self._slots.discard(key)
                    if claimed:
                        return key
                await asyncio.sleep(_LOOK_AGAIN)
        except _FAULTS:
            return None

    async def _held(self, key: int, patience: float) -> bool:
        end = time.monotonic() + patience
        try:
            while not await self._claim(_PROMPTS, key):
                if time.monotonic() > end:
                    return False
                await asyncio.sleep(_LOOK_AGAIN)
        except _FAULTS:
            return False
        return True

    async def _claim(self, space: int, key: int) -> bool:
        claiming = self._start(self._ask(_CLAIM, space, key))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._start(self._undo(claiming, space, key))
            raise

    async def _undo(self, claiming: asyncio.Task[bool], space: int, key: int) -> None:
        with suppress(*_FAULTS):
            if await claiming:
                await self._release(space, key)

    async def _release(self, space: int, key: int) -> None:
        with suppress(*_FAULTS):
            await asyncio.shield(self._start(self._ask(_GIVE_BACK, space, key)))

    def _start(self, asking: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Ask in a separate task: cancelled with the caller, it would lose all claims."""
        task = asyncio.create_task(asking)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _ask(self, function: str, space: int, key: int) -> bool:
        # Nothing is claimed if a pooler has exchanged our connection for another one.
        statement = text(
            f"SELECT CASE pg_backend_pid() WHEN :process THEN {function}(:space, :key) END"
        )
        async with self._lock:
            if self._connection is None:
                if function == _GIVE_BACK:
                    return True  # a connection that broke has taken its claims along
                self._connection, self._process = await self._open()
            values = {"space": space, "key": key, "process": self._process}
            try:
                answer = await self._connection.scalar(statement, values)
                await self._connection.commit()
                _require_own(answer is not None)
            except BaseException:
                # Whatever broke off in the middle leaves a connection in an unknown state.
                broken, self._connection = self._connection, None
                await broken.invalidate()
                await broken.close()
                raise
        return bool(answer)

    async def _open(self) -> tuple[AsyncConnection, int]:
        """Return a connection and its server process, if that is its own.

        Raises:
            PoolerError: A pooler lends it to others between transactions.
        """
        connection = await self._engine.connect()
        try:
            process = await _process_of(connection)
            await connection.commit()
            async with self._engine.connect() as other:  # which stays in a transaction
                _require_own(await _process_of(other) != process)
                try:
                    # A pooler without a free connection would keep us waiting for the other's.
                    async with asyncio.timeout(_POOLERS_PATIENCE):
                        again = await _process_of(connection)
                except TimeoutError:
                    again = None
                _require_own(again == process)
                await connection.commit()
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        return connection, process

    async def close(self) -> None:
        """Give everything back."""
        async with self._lock:
            await self.abandon()

    async def abandon(self) -> None:
        """Give everything back, if nothing else uses the claims any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Locks would outlive the return to the pool.
            await connection.invalidate()
            await connection.close()


def _key_of(name: str) -> int:
    digest = hashlib.sha256(name.encode()).digest()[:_KEY_BYTES]
    return int.from_bytes(digest, "big", signed=True)


async def _process_of(connection: AsyncConnection) -> int:
    return (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()


def _require_own(own: bool) -> None:
    if not own:
        raise PoolerError(
            "RE2LLM_DATABASE_URL",
            "A pooler lends its connections by transaction, so the locks of learning get lost.",
            "Learn through a direct connection, or set the pooler to pool by session.",
        )
