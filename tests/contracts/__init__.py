"""What is promised to who consumes events: schemas, the AsyncAPI document, and what may change in them."""
