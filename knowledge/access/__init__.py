"""API keys: what each may do, and what it has used."""
