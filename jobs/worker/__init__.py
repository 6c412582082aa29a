"""A worker: takes jobs and their pieces, on DBOS."""
