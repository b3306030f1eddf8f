"""A stand-in CXone, CRM and InfluxDB on real sockets: traffic, faults and a ledger of what was sent."""
