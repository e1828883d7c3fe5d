"""The project's own sample shop: invented products, and some weeks of orders from a seeded generator."""
