"""The write side: HTTP in, events out. What reads views or the stream belongs elsewhere."""
