"""The log as Parquet files: a table for each type of event, made for those who analyze."""
