"""Who a run is for: the API key that a server has checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import NotGrantedError
from ..knowledge.access.grants import Grants, Right
from ..knowledge.access.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Caller:
    """A program with an API key.

    Attributes:
        owner: The key's owner.
        key_id: The key's id, under which its use is counted.
        domains: Names of the domains that it may know of.
        grants: What else it may do and spend.
    """

    owner: str
    key_id: str
    domains: tuple[str, ...]
    grants: Grants

    @classmethod
    def of(cls, key: ApiKey) -> Caller:
        """Return the program that holds a key.

        Args:
            key: A key that was checked.
        """
        return cls(key.owner, key.id, tuple(key.domains), key.grants)

    def require(self, right: Right) -> None:
        """Make sure that the key has a right.

        Args:
            right: The right that the operation needs.

        Raises:
            NotGrantedError: It has not.
        """
        if right not in self.grants.may:
            makes = f"re2llm keys create OWNER --domain DOMAIN --may {right}"
            raise NotGrantedError("key", f"This key may not {right}.", f"`{makes}` makes one.")

    def as_user(self) -> dict[str, Any]:
        """Return the caller as JSON primitives, as a LangGraph server keeps a user."""
        return {
            "identity": self.owner,
            "domains": list(self.domains),
            "key_id": self.key_id,
            "grants": self.grants.as_dict(),
        }


def caller_of(user: Any) -> Caller | None:
    """Return whom a request is for, or `None` where no API key restricts it.

    Args:
        user: A LangGraph server's user, from `Caller.as_user`; `None` for none. Without grants it
            has none.
    """
    if not user or "domains" not in user or user["domains"] is None:
        return None
    # A server's user is no mapping: it knows `in` and `[]` alone.
    owner, key_id, grants = (
        user[name] if name in user else None  # noqa: SIM401
        for name in ("identity", "key_id", "grants")
    )
    return Caller(
        owner=str(owner or ""),
        key_id=str(key_id or ""),
        domains=tuple(user["domains"]),
        grants=Grants.from_dict(grants),
    )
