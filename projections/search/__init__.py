"""What the builds of both search stores have in common."""
