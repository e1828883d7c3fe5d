"""What is proved on a Redis Cluster."""
