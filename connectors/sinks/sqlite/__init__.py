"""The SQLite file of minutes and alerts: one process writes it, anybody reads it."""
