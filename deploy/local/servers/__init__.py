"""The embedded PostgreSQL and Redis: programs, folders, users, readiness. Restarting is `supervision`'s."""
