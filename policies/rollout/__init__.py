"""How a release is tried on live traffic: who gets it, what is counted, and what is decided."""
