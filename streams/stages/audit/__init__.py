"""Audit entries into day files."""
