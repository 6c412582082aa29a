"""Data sets and uploaded files, written into a domain."""
