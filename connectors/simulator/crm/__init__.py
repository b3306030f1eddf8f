"""Stand-in for a CRM."""
