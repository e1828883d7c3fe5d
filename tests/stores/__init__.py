"""What is promised of every store of a view."""
