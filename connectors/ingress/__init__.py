"""The ways in: what CXone sends -> raw topics, byte for byte."""
