"""Autopilots: what is set, spent and counted."""
