"""The rating prompt, and the reading of its answers."""
