"""Running Daybook on one machine: the embedded servers, our own processes, and who looks after them."""
