"""Reading a file of invoices: whatever form it comes in, it becomes the same records."""
