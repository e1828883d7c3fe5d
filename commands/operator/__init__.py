"""What an operator does about money that no process can settle."""
