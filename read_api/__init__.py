"""The query API: serves the storefront from the read models, and from nothing else."""
