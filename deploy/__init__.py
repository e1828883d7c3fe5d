"""Running Daybook: locally, the HTTP edge, the sample shop. No rule of the shop belongs here."""
