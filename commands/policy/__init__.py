"""`re2llm policy`: the releases of the learned hint policy."""
