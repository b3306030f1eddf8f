"""A stand-in CXone and a stand-in InfluxDB on real sockets: traffic, faults and a ledger of what was sent."""
