"""Calls to another system in order per key, with retries that outlive the process: one mechanism for several stages."""
