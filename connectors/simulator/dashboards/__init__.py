"""CXone's dashboards, as the stand-in keeps them, and the people who edit them there."""
