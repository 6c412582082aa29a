"""Everything that lives in Postgres: tables, engine, catalogue, sessions, hints, logs."""
