"""Viewers whose tastes drift, on whom an autopilot is proved: what it gains, and what it spends."""
