"""Elasticsearch: the writing half of its search index."""
