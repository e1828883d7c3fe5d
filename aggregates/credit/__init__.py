"""Credit that pays for orders: gift cards and store credit."""
