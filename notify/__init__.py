"""Delivery of notifications, with a ledger per recipient."""
