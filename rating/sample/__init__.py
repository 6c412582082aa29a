"""A small corpus of reviews that ships with the package: made-up products and simulated people."""

from .simulator import Product, load_products, simulate_reviews

__all__ = ["Product", "load_products", "simulate_reviews"]
