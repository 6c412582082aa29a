"""JSON, thoughts and signs in what models write."""
