"""Simulates viewers whose tastes drift, to measure what an autopilot gains and spends."""
