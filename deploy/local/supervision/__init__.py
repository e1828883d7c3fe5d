"""Starting, restarting and stopping processes. What a process does is not known here."""
