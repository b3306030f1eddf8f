"""The audit trail: a chain of hashes for each partition, day files that repeat it line by line, and signed heads."""
