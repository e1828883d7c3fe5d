"""Checking the whole log against the rules it must keep. It reports and repairs nothing."""
