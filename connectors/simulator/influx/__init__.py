"""Stand-in for InfluxDB."""
