"""The rules of the shop: facts, states and pure decisions, one module or folder per context."""
