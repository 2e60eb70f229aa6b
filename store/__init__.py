"""The lowest layer: models, sessions and queries, one module per noun."""
