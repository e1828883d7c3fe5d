"""The relay, which publishes the log's events on Kafka."""
