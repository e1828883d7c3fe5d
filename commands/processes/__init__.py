"""Process managers: what follows the log and acts when something is due. Rules are aggregates'."""
