"""Prompts that ask for hints, and the reading of their answers."""
