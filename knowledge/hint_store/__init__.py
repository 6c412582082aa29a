"""Hints, their trials and stats, where they come from and what became of them."""
