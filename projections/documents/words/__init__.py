"""The one normaliser of search: text as tokens for an index, typed text as a query plan. docs/search.md."""
