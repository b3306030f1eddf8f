"""Calls to another system in order per key, with retries that outlive the process."""
