"""The door for CXone's webhooks: who calls is checked, the bytes are committed to Kafka, and only then comes a 200."""
