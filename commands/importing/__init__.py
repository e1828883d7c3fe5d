"""Importing a shop's history through the handling loop; a folder per kind of file."""
