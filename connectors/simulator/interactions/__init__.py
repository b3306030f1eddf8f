"""Stand-in for CXone's events socket, and its traffic."""
