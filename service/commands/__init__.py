"""The commands of ``groundswell``, one module per group."""
