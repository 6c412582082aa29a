"""Embeddings of texts, and their cache."""
