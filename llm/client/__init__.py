"""Calls of a model: endpoints, attempts, limits, batches, and what its server can do."""
