"""Views in Redis, the writing half. The reading half is in `projections/documents`."""
