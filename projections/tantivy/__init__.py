"""The embedded search index, the writing half. The reading half is in `projections/documents`."""
