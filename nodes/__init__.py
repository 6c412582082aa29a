"""The graph's nodes, one a file: each takes typed state and returns a partial update."""
