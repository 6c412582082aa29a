"""Loads modules of ours when they are first needed."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any


async def load_module(name: str) -> Any:
    """Import a module off the event loop: one with DBOS takes half a second, with torch more.

    Args:
        name: Below the package, such as `jobs.queue.submit`.
    """
    return await asyncio.to_thread(import_module, f"..{name}", __package__)
