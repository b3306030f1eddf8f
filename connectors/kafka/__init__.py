"""How Kafka is spoken with: publishing, topics, schema ids, the broker inside this process."""
