"""The query language that decides what counts as a mention of a brand."""
