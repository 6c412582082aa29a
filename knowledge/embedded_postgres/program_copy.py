"""PostgreSQL's programs in a place that another account can enter.

`initdb` asks the kernel whether it may run the `postgres` beside it, and for that question no
capability counts. A library under root's own home, `/root`, therefore needs a copy elsewhere.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

COPIES = Path("/var/lib/re2llm")
_OPEN = 0o755
_READABLE = 0o644
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def may_enter(account: pwd.struct_passwd, folder: Path) -> bool:
    """Whether an account without further groups or capabilities reaches what is in a folder."""
    return all(_may_pass(account, path.stat()) for path in (folder, *folder.parents))


def _may_pass(account: pwd.struct_passwd, found: os.stat_result) -> bool:
    if found.st_uid == account.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.pw_gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def open_copy(
    account: pwd.struct_passwd, root: Path, parts: Sequence[str], name: str, copies: Path
) -> Path:
    """Copy folders of the library once for each version, and return the folder of the copy.

    Args:
        account: Is to enter them.
        root: The folder that holds them.
        parts: Their paths from there.
        name: The name of the copy, with the version.
        copies: Where copies are kept. Only root may write there.

    Raises:
        OSError: They cannot be copied, or the copy is not root's alone; says what to do.
    """
    copy = copies / name
    try:
        with suppress(FileExistsError):
            copies.mkdir()
            copies.chmod(_OPEN)
        if not copy.exists():
            _copy(root, parts, copy)
        found = copies.stat(), copy.stat()
        entered = all(may_enter(account, copy / part) for part in parts)
    except (OSError, shutil.Error) as error:
        raise OSError(_problem(root, f"it cannot be copied to {copies}")) from error
    if not entered or any(each.st_uid or each.st_mode & _WRITABLE for each in found):
        raise OSError(_problem(root, f"{copy} must be open to all and root's alone"))
    return copy


def _copy(root: Path, parts: Sequence[str], copy: Path) -> None:
    """Copy all or nothing, even if other processes copy at the same time."""
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".new-") as new:
        whole = Path(new) / copy.name
        for part in parts:
            shutil.copytree(root / part, whole / part, symlinks=True, copy_function=_link)
        for folder, _, _ in os.walk(whole):
            Path(folder).chmod(_OPEN)
        try:
            whole.rename(copy)
        except OSError:
            if not copy.exists():
                raise


def _link(source: str, target: str) -> None:
    """Give a file a second name, which takes no space, or copy it where that won't do."""
    mode = Path(source).stat().st_mode
    open_mode = mode | (_OPEN if mode & stat.S_IXUSR else _READABLE)
    if open_mode == mode:
        with suppress(OSError):  # on another file system
            os.link(source, target, follow_symlinks=False)
            return
    shutil.copy2(source, target)
    Path(target).chmod(stat.S_IMODE(open_mode) & ~_WRITABLE)


def _problem(root: Path, reason: str) -> str:
    return (
        f"the account that runs it cannot enter {root}, and {reason}: "
        "install re2llm outside of root's home, for example in /opt"
    )
