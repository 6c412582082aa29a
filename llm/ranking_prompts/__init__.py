"""Prompts that ask for a ranking, and the recipes that read its answer."""
