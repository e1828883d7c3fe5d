"""All that the query API may know of the views: shapes, keys, and each store's reading half."""
