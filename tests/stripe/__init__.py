"""The real `stripe` library over sockets, against stripe-mock and a stateful Stripe of our own."""
