"""Autopilots: what they know of their domain, and how they are shown and resumed."""
