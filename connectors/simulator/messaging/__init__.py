"""Stand-in for CXone's web messaging, and the guests who write."""
