"""Platform clients shared by listening and replying: addresses, limits, credentials."""
