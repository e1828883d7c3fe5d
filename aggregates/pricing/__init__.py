"""What is paid for a cart, and why: a pure calculation beside the kernel, without events."""
