"""The one test shop: its facts, and where they happen: a log, a command process, views, a running system."""
