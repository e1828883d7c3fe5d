"""Outgoing webhooks: events sent to endpoints outside, signed, tried again, and written down."""
