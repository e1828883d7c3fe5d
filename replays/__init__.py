"""Reading history again: an order's history, verification, the event feed. Nothing here writes."""
