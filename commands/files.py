"""Files that commands read and write; the name `-` stands for standard input and output.

A pipe may never answer, so each is read and written in a thread: signals reach the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError, reason_of
from .console import json_text, print_json


async def read_json(file: Path) -> Any:
    """Read a JSON document from a file, or from standard input if the name is `-`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not UTF-8 or not JSON, or it is nested too deeply.
    """
    try:
        return json.loads(await read_text(file))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


async def read_text(file: Path) -> str:
    """Read a text from a file, or from standard input if the name is `-`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not UTF-8.
    """
    return await asyncio.to_thread(_read_text, file)


async def write_json(field: str, file: Path, value: Any) -> None:
    """Write a JSON document to a file, or to standard output if the name is `-`.

    Raises:
        InputError: It cannot be written.
    """
    if str(file) == "-":
        print_json(value)
    else:
        await write_text(field, file, json_text(value) + "\n")


def check_writable(field: str, file: Path | None) -> None:
    """Refuse a file that cannot be written, before anything slow or paid begins.

    Raises:
        InputError: It is a folder, or its folder does not exist or is read-only.
    """
    if file is None or str(file) == "-":
        return
    folder = file.absolute().parent
    if file.is_dir() or not folder.is_dir():
        why = "it is a folder" if file.is_dir() else "its folder does not exist"
    elif os.access(file if file.exists() else folder, os.W_OK):
        return
    else:
        why = os.strerror(errno.EACCES)
    raise InputError(field, f"{file} cannot be written ({why}).", "Name another file.")


async def write_text(field: str, file: Path, content: str) -> None:
    """Write a file.

    Raises:
        InputError: It cannot be written.
    """
    try:
        await asyncio.to_thread(file.write_text, content, encoding="utf-8")
    except OSError as error:
        raise InputError(
            field, f"{file} cannot be written ({reason_of(error)}).", "Name another file."
        ) from error


def _read_text(file: Path) -> str:
    """Read a file or standard input; a byte order mark is left out."""
    if str(file) == "-":
        return sys.stdin.read().removeprefix("\ufeff")
    return file.read_text(encoding="utf-8-sig")
