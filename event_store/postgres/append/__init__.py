"""Writing to the log: batches of commands as calls of the database's functions. Nothing here reads events."""
