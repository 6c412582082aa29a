"""The PostgreSQL that runs without installation, in the user's home."""
