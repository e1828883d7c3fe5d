"""What consumers of events may rely on: the schema of each event's data, and the AsyncAPI document."""
