"""The read side's writers: views folded from the log into Redis and the search index. It serves no reader."""
