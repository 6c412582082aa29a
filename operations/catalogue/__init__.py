"""Catalogues: domains, and how their items are found and shown."""
