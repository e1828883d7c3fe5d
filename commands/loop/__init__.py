"""The handling loop: queueing, deciding, appending, answering. It knows no command in particular."""
