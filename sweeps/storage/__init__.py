"""The storage: studies in a journal, SQLite or PostgreSQL, each with one driver at a time."""
