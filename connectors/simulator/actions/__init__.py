"""CXone's side of webhooks: it calls a door, and repeats what failed."""
