"""Checking all of the log against the rules it must keep. It reports and repairs nothing."""
