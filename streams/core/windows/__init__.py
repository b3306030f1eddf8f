"""Windows by event time."""
