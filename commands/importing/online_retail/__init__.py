"""The Online Retail data sets: what a line means, and its commands. Parsing is `reading`'s."""
