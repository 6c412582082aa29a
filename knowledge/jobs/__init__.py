"""Jobs: their pieces, and those of API keys."""
