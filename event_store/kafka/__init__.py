"""The log's events on Kafka: how they lie there, writing them whole, and reading them as a log."""
