"""The log in memory: the model that the real one is tested against. Nothing here outlives its process."""
