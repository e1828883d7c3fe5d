"""What is proved on a real Elasticsearch."""
