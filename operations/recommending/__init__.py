"""Recommendations, one or a file of them, and what people did with them."""
