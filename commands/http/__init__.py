"""The command API: HTTP in, commands out. Nothing else gives a refusal its status."""
