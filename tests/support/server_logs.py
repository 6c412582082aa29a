"""What a server's log says of trouble, short enough for a test's report."""

from pathlib import Path


def troubles(log: Path, *signs: str, start: int = 0) -> str:
    """Return the first trouble in a log with what follows it, or nothing.

    Args:
        log: A server's output.
        signs: Words of trouble.
        start: Leave out so many bytes, which other tests have caused.
    """
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    for number, line in enumerate(lines):
        if any(sign in line for sign in signs):
            return "\n".join(lines[max(0, number - 2) : number + 40])
    return ""
