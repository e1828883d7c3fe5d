"""The sample shop: invented products and some weeks of orders from a seeded generator. No real data."""
