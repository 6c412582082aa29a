"""Rating prediction that reasons before it rates: RecZero and RecOne (arXiv 2510.23077)."""

SAMPLE = "sample"
"""The name of the corpus in the package, where a path is asked for."""
