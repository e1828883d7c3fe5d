"""The commands `daybook up`, `demo`, `events` and `serve`. What they start is composed elsewhere."""
