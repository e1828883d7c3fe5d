"""One order's history and its state at any moment, for a person or as JSON."""
