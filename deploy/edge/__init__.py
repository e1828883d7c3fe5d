"""The servers' edge: what lies between a connection and either API, the same for both.

It knows nothing of the shop. `daybook serve` puts it around the applications.
"""
