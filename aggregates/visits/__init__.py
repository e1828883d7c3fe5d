"""Visits: what shoppers look at."""
