"""Reads rankings from answers, in whatever form a model gives them."""
