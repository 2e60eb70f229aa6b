"""Listeners: one small file per platform, each turning what people say into mentions."""
