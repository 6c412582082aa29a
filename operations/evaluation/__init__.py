"""Comparisons of hint policies and baselines, and their report."""
