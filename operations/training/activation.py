"""Whether a training activates the release that it makes."""

from __future__ import annotations

from ...errors import InputError


def check_activation(*, activate: bool, force: bool) -> None:
    """Refuse a training that is told both to activate its release at all costs and not to.

    Raises:
        InputError: It is.
    """
    if force and not activate:
        raise InputError(
            "force",
            "It activates the release, which was asked for without activating it.",
            "Leave out one of the two.",
        )
