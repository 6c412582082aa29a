"""The folder of a training: which training it belongs to."""

from __future__ import annotations

import json
from pathlib import Path

from ...errors import InputError
from .description import RATER_FILE, read_description

_NEW = {"split", "split_seed", "reviews", "traces", "trained"}
"""What a `rater.json` may lack that was written earlier."""


def require_own(folder: Path, description: str) -> None:
    """Refuse a folder that holds another training, or anything else.

    Args:
        description: The content of the `rater.json` that this training writes.

    Raises:
        InputError: It does.
    """
    note = folder / RATER_FILE
    if note.exists():
        known = read_description(note)
        wanted = json.loads(description)
        if known != {name: wanted[name] for name in wanted if name in known or name not in _NEW}:
            raise InputError(
                "folder",
                f"{folder} holds a training run with other reviews or settings.",
                "Repeat its options to continue it, or name another folder.",
            )
    elif folder.exists() and any(folder.iterdir()):
        raise InputError("folder", f"{folder} is not empty.", "Name a new folder.")


def claim(folder: Path, description: str, *, ours: bool) -> None:
    """Write down the settings of the training, and refuse a folder with other ones.

    Args:
        ours: Whether this process writes; the others find what it wrote.

    Raises:
        InputError: The folder is not this training's, or not that of all processes.
    """
    require_own(folder, description)
    note = folder / RATER_FILE
    if note.exists():
        return
    if not ours:
        raise InputError("folder", f"{folder} is not shared by all processes.", "Name one that is.")
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(description, encoding="utf-8")
