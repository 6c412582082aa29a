"""The graphs' nodes, one per file: each takes typed state and returns a partial update.

The graph `recommend` runs `prepare`, `select_hint`, `recommend` and `check`. `learn` starts with
`pick_session`, runs the same four, and after a miss `reflect`, `verify_hint` and `store_hint`. The
nodes of `rate` are in `rating/`.
"""
