"""Stand-in for CXone's routing API."""
