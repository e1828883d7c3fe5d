"""Figures of a running shop, each beside a raw ceiling of the same machine in the same run."""
