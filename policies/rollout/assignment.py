"""Who gets the canary: decided by a hash, so that nothing about a person need be looked up."""

from __future__ import annotations

import hashlib

_PLACE_BYTES = 8


def place_of(salt: bytes, person: str) -> float:
    """Return a person's place in a rollout, from 0 to below 1.

    A person gets the canary at a step if the place is below the step's share. A place never
    changes, so a person who has the canary at 5 % keeps it at 25 %.

    Args:
        salt: The rollout's own: another rollout puts other people first.
        person: What the caller calls them.
    """
    digest = hashlib.sha256(b"place:" + salt + person.encode("utf-8", "replace")).digest()
    # 53 bits, which a float holds exactly: it can never round up to 1.
    return (int.from_bytes(digest[:_PLACE_BYTES], "big") >> 11) / 2**53


def pseudonym(salt: bytes, person: str) -> bytes:
    """Return what the log calls a person: the same within a rollout, different in each.

    Returns:
        16 bytes, from which nothing leads back to the name without the salt.
    """
    return hashlib.sha256(b"person:" + salt + person.encode("utf-8", "replace")).digest()[:16]


def probability_of(chosen: float, other: float, share: float) -> float:
    """Return the probability of a choice over the draw of the release and the release's own draw.

    It is what off-policy estimates divide by: the chance that this session was given this hint.

    Args:
        chosen: Probability with which the release that served chose this hint.
        other: Probability with which the other release would have chosen it.
        share: The chance that the release that served was the one to serve.

    Source: the behaviour policy of logs from several policies is their mixture; Agarwal et al.,
    2017, arXiv 1703.06180.
    """
    return share * chosen + (1 - share) * other
