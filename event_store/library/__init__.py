"""The `eventsourcing` library's persistence module over our log. Daybook's own code never comes this way."""
