"""The servers' edge, asked as strangers ask: over raw sockets, by other languages' clients, all at once."""
