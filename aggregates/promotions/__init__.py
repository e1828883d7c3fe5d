"""The promotions context: what limits them, and who may use them."""
