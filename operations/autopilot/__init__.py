"""Autopilots: what they see of their domain, and how they are held."""
