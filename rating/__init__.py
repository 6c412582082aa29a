"""Rating prediction that reasons before it rates: RecZero and RecOne (arXiv 2510.23077)."""
