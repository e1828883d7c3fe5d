"""What the system writes for people: log files, standard error, the terminal. Metrics are not here."""
