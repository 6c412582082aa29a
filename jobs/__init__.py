"""Durable jobs on DBOS: long work that any number of machines share and that survives a kill."""
