"""The keys that a domain's training sessions have in the database."""

from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.sessions.training_sessions import training_sessions
from re2llm.runtime.services import Services


async def training_keys(services: Services, domain: str) -> list[int]:
    """Return them in the order in which the sessions were loaded."""
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        return [key for key, _ in await training_sessions(connection, found)]
