"""What drives views along the log: reading, checkpoints, rebuilding. No store and no view in particular."""
