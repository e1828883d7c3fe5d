"""The log on PostgreSQL: connections, reading, wake-ups, migrations. Writing is `append`'s."""
