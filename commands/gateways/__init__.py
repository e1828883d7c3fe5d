"""The payment gateways: the port, and an adapter a file. What follows from an answer is a handler's."""
