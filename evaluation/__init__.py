"""Metrics, baselines and experiments."""
