"""Autopilots: turned on and off, their cycles, and what a cycle begins."""
