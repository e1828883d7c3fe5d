"""The rules of the shop: events, states and pure decisions by context. No I/O, clock or framework."""
