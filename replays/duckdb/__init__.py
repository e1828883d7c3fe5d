"""SQL over the log: what its files have and what is newer, as one."""
