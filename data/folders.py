"""Whether a folder is the data set that it is said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def require_files(folder: Path, dataset: str, required: Sequence[str]) -> Path:
    """Return a data set's folder, once its files are known to be there.

    Args:
        folder: The folder that a person named.
        dataset: What the data set is called in messages.
        required: The names of the files that it cannot do without.

    Raises:
        InputError: The folder or one of the files is missing.
    """
    expected = f"The {dataset} folder must hold {', '.join(required)}."
    if not folder.exists():
        raise InputError(str(folder), "does not exist.", expected)
    if not folder.is_dir():
        raise InputError(str(folder), "is not a folder.", expected)
    missing = [name for name in required if not (folder / name).is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(str(folder), f"{', '.join(missing)} {verb} missing.", expected)
    return folder


def total_bytes(paths: Iterable[Path]) -> int:
    """Return how many bytes the files that exist hold together, to size a progress bar.

    Args:
        paths: Files, some of which may be missing.
    """
    return sum(path.stat().st_size for path in paths if path.is_file())
