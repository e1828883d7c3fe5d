"""The terms context: the rules of sale."""
