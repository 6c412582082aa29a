"""`re2llm hints`: the hints of a domain."""
