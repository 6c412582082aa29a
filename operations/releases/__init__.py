"""Releases of the hint policy: stored, compared, activated, rolled out."""
