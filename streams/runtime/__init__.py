"""Runs the cores of stages on the partitions that this worker owns."""
