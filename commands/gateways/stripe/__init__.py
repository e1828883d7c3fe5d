"""Stripe behind the gateway port: the only files that know the `stripe` library."""
