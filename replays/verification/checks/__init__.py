"""The rules that verification holds the log against, one file for each book they are about.

A check sees the events one by one in the log's order and reports what cannot be. It goes on after a
finding, so that one wrong event does not hide the next.
"""
