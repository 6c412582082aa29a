"""Training of the hint policy, and the cells it pays for."""
