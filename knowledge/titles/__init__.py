"""Titles as comparable words, and finding items by them."""
