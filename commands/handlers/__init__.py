"""Commands and their handlers, a file per context: pure functions of states. Running them is `loop`'s."""
